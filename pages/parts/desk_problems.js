// The list of problems: jumping is done at once in the browser, and so is every fix that is an edit of the text.
const LOOKS = { error: ["error", "Error"], warning: ["warning", "Warning"], info: ["info", "Note"] };
function row(one) {
  const [symbol, word] = LOOKS[one.level];
  const jump = make("button", { type: "button", className: "jump", title: "Go to this line", textContent: `line ${one.row + 1}` });
  jump.onclick = () => desk.goTo(one.row, one.column);
  const head = make("div", { className: "head" }, make("span", { className: `level ${one.level}` }, icon(symbol), word), jump,
    make("span", { className: "code", textContent: one.code, title: "Its page in the documentation" }));
  const item = make("li", { className: "problem", "data-code": one.code }, head, make("p", { className: "message", textContent: one.message }));
  if (one.why) item.append(make("p", { className: "why", textContent: one.why }));
  if (one.fix) {
    const fix = make("button", { type: "button", className: "fix" }, icon("auto_fix_high"), one.fix);
    fix.onclick = () => desk.fix(one);
    item.append(fix);
  }
  return item;
}
function list(data) {
  if (!data.problems.length) {
    const word = data.turns ? "No problems. This scenario is ready for training." : "Nothing written yet.";
    return [make("div", { className: "none" }, icon("check_circle"), word)];
  }
  const parts = [];
  if (data.safe > 1) {
    const all = make("button", { type: "button", className: "all", title: "Corrections of form only; none changes what your scenario says." },
      icon("auto_fix_high"), `Fix ${data.safe} at once`);
    all.onclick = () => desk.act("fix_all");
    parts.push(all);
  }
  parts.push(make("ol", {}, ...data.problems.map(row)));
  if (data.more) parts.push(make("p", { className: "more", textContent: `${data.more} more appear as you fix these.` }));
  return parts;
}
export default function ({ parentElement }) {
  const root = parentElement.querySelector(".problems");
  const draw = (answer) => {
    if (answer) root.replaceChildren(...list(answer));
    mark();
  };
  const mark = () => root.classList.toggle("stale", !desk.fresh);
  draw(desk.last_answer);
  root.stopHearing?.forEach((stop) => stop());
  root.stopHearing = [desk.on("answer", draw), desk.on("typed", mark)];
}
