// The row of tools above the editor: new turns, requests from the vocabulary, and the answer that the dice give.
function tool(symbol, label, title, act) {
  const button = make("button", { type: "button", className: "tool", title }, icon(symbol), make("span", { textContent: label }));
  button.onclick = act;
  return button;
}
function choices(menu, needle) {
  const wanted = needle.trim().toLowerCase();
  const shown = desk.words.filter((one) => one.text[0] === "[" && (!wanted || `${one.text} ${one.help} ${one.also}`.toLowerCase().includes(wanted)));
  const items = [];
  let kind = "";
  for (const one of shown) {
    if (one.kind !== kind) items.push(make("div", { className: "kind", textContent: (kind = one.kind) }));
    const item = make("button", { type: "button", className: "choice" }, make("code", { textContent: one.text }), make("span", { textContent: one.help }));
    item.onclick = () => {
      menu.hidden = true;
      desk.act("ask", { request: one.text });
    };
    items.push(item);
  }
  return items.length ? items : [make("div", { className: "kind", textContent: "No request by that name. Any check can be asked for by its skill." })];
}
function menu() {
  const list = make("div", { className: "list" });
  const search = make("input", { type: "search", placeholder: "Search requests: stealth, damage, rest", "aria-label": "Search requests" });
  const box = make("div", { className: "menu", hidden: true }, search, list);
  search.oninput = () => list.replaceChildren(...choices(box, search.value));
  search.onkeydown = (event) => {
    if (event.key === "Enter") list.querySelector(".choice")?.click();
  };
  box.onkeydown = (event) => {
    if (event.key === "Escape") box.hidden = true;
  };
  box.open = () => {
    box.hidden = !box.hidden;
    if (box.hidden) return;
    search.value = "";
    list.replaceChildren(...choices(box, ""));
    search.focus();
  };
  return box;
}
// The selected words as the first of several, and the cursor where the next one is typed. Made here, in one step of undo.
function wrap() {
  if (!desk.editor) return;
  const { start, end } = desk.editor.getSelectionRange();
  const words = desk.editor.getSelectedText();
  const edit = { startRow: start.row, startCol: start.column, endRow: end.row, endCol: end.column, text: `{${words}|}` };
  const behind = start.row === end.row ? end.column + 2 : end.column + 1;
  desk.change([edit], desk.version, [end.row, words ? behind : start.column + 1]);
}
function build(root) {
  const box = menu();
  root.replaceChildren(
    tool("chat_bubble", "Player", "A new turn of a player after this one", () => desk.act("turn", { speaker: "User" })),
    tool("auto_stories", "DM", "A new turn of the Dungeon Master after this one", () => desk.act("turn", { speaker: "DM" })),
    tool("contact_support", "Ask for a roll", "Put a request of the DM at the cursor", () => box.open()),
    tool("casino", "Roll the answer", "Throw the dice that the DM turn here asks for, with the bonus of the sheet (Ctrl+Shift+R)", () => desk.act("roll")),
    tool("alt_route", "Otherwise", "After the DM turn here that tells how a roll went: the same turn for the other outcome", () => desk.act("otherwise")),
    tool("data_object", "Choices", "Make the selected words the first of several: {creep|tiptoe}. Each time one of them is read", wrap),
    box,
  );
  document.addEventListener("pointerdown", (event) => {
    if (!event.composedPath().includes(root)) box.hidden = true;
  });
  // A click into the editor's frame is not seen here; that the page loses the focus is.
  window.addEventListener("blur", () => { box.hidden = true; });
}
export default function ({ data, parentElement }) {
  desk.words = data.words; // completion in the editor offers the same
  const root = parentElement.querySelector(".tools");
  if (!root.childElementCount) build(root);
}
