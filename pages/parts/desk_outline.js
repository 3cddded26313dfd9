// The outline of the open scenario: its SYSTEM block, its characters and its turns, each a way to jump there.
const SYMBOLS = { SYSTEM: "menu_book", Character: "person", User: "chat_bubble", DM: "auto_stories", TOOLCALL: "casino" };
let root = null;
function row(one, place) {
  const words = make("span", { className: "words" }, one.who ? make("b", { textContent: `${one.who} ` }) : null, one.text);
  const button = make("button", { type: "button", className: `at ${one.kind.toLowerCase()}`, title: one.text, "data-row": one.row },
    icon(SYMBOLS[one.kind] ?? "notes"), words);
  if (one.worst) button.append(make("span", { className: `dot ${one.worst}`, title: `Has a problem (${one.worst})` }));
  button.onclick = () => desk.goTo(one.row, 0);
  return make("li", {}, button);
}
function draw(answer) {
  const body = root?.querySelector("ol");
  if (!body || !answer) return;
  body.replaceChildren(...answer.outline.map(row));
  root.querySelector(".count").textContent = answer.turns;
  here(desk.last_cursor ?? 0);
}
function here(cursor) {
  let current = null;
  for (const button of root?.querySelectorAll("button.at") ?? []) {
    button.classList.remove("here");
    if (Number(button.dataset.row) <= cursor) current = button;
  }
  current?.classList.add("here");
  if (current && !root.matches(":hover")) {
    const list = current.closest("ol");
    const top = current.offsetTop - list.offsetTop;
    if (top < list.scrollTop || top > list.scrollTop + list.clientHeight - 30) list.scrollTop = top - list.clientHeight / 2;
  }
}
export default function ({ parentElement }) {
  root = parentElement.querySelector(".outline");
  root.stopHearing?.forEach((stop) => stop());
  root.stopHearing = [desk.on("answer", draw), desk.on("cursor", here)];
  draw(desk.last_answer);
}
