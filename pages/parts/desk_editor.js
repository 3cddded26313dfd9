// Joins the Ace editor to the desk: reports what is typed, shows what the engine found, and carries out its changes.
const PAUSE = 60;          // milliseconds without a key after which the text is reported
const ANSWER = 4000;       // milliseconds after which an answer is no longer waited for
const SHEET = `
  .studio-tag-user, .studio-tag-dm, .studio-tag-toolcall, .studio-tag-system, .studio-result, .studio-ask,
  .studio-error, .studio-warning, .studio-info { position: absolute; border-radius: 3px; }
  .studio-tag-user { background: #8f6fc940; } .studio-tag-dm { background: #c9803a30; }
  .studio-tag-toolcall, .studio-result { background: #4b86c930; } .studio-tag-system { background: #80808030; }
  .studio-slot, .studio-tag-otherwise { position: absolute; border-radius: 3px; background: #3f946830; }
  .studio-turn-otherwise { position: absolute; box-sizing: border-box; border-left: 3px dashed #c9803a; }
  .studio-ask { background: #c9803a4a; }
  .studio-error, .studio-warning, .studio-info { border-radius: 0; box-sizing: border-box; border-bottom: 2px dotted #d0585c; }
  .studio-warning { border-color: #c9803a; } .studio-info { border-color: #4b86c9; }
  .studio-turn-user, .studio-turn-dm, .studio-turn-toolcall, .studio-turn-system { position: absolute; box-sizing: border-box; border-left: 3px solid; }
  .studio-turn-user { border-color: #8f6fc9; } .studio-turn-dm { border-color: #c9803a; }
  .studio-turn-toolcall { border-color: #4b86c9; } .studio-turn-system { border-color: #80808066; }
  .ace_editor { border-radius: 8px; }
  .ace_editor .ace_print-margin, .MuiGrid-container { display: none; }
`;
const THEMES = {
  light: { page: "#fcfbf8", paper: "#fffefb", gutter: "#f6f3ed", ink: "#2b2724", faint: "#a0978b", active: "#80603014", tag: "#5b4a86", edge: "#e6e0d5" },
  dark: { page: "#191715", paper: "#1e1b19", gutter: "#191715", ink: "#ebe6de", faint: "#7d756b", active: "#ffffff0c", tag: "#b9a4e4", edge: "#332e2a" },
};
function dress(document, theme) {
  let style = document.getElementById("studio-style");
  if (style?.dataset.theme === theme && style === document.head.lastElementChild) return;
  style ??= make("style", { id: "studio-style" });
  style.dataset.theme = theme;
  const t = THEMES[theme] ?? THEMES.light;
  style.textContent = SHEET + `
    .ace_editor.ace_editor { background: ${t.paper}; color: ${t.ink}; border: 1px solid ${t.edge}; }
    .ace_editor .ace_gutter.ace_gutter { background: ${t.gutter}; color: ${t.faint}; }
    .ace_editor .ace_marker-layer .ace_active-line, .ace_editor .ace_gutter-active-line { background-color: ${t.active}; }
    .ace_editor .ace_heading, .ace_editor .ace_markup.ace_list, .ace_editor .ace_list { color: ${t.ink}; }
    .ace_editor .ace_heading { font-weight: 600; } .ace_editor .ace_string.ace_emphasis, .ace_editor .ace_strong { color: ${t.ink}; font-style: italic; }
    .ace_editor .ace_meta.ace_tag, .ace_editor .ace_tag { color: ${t.tag}; }
    .ace_editor.ace_autocomplete { background: ${t.paper}; color: ${t.ink}; border: 1px solid ${t.edge}; width: 30rem; box-shadow: 0 6px 24px #0003; }
    .ace_editor.ace_autocomplete .ace_marker-layer .ace_active-line, .ace_editor.ace_autocomplete .ace_line-hover { background: ${t.active}; border: 0; }
    .ace_editor.ace_autocomplete .ace_completion-highlight { color: #8f6fc9; }
    .ace_tooltip { background: ${t.paper}; color: ${t.ink}; border-color: ${t.edge}; max-width: 26rem; white-space: normal; font: 13px/1.45 system-ui; padding: .4rem .6rem; }
    .ace_placeholder { color: ${t.faint}; }`;
  document.documentElement.style.background = document.body.style.background = t.page;
  document.head.appendChild(style); // last, so that it wins over the theme of Ace
}

// -- typing

let sentVersion = 0;
let sentAt = 0;
let timer = null;
let reportText = () => {};
function later() {
  clearTimeout(timer);
  timer = setTimeout(send, PAUSE);
}
function send() {
  clearTimeout(timer);
  if (sentVersion === desk.version || !desk.editor) return;
  const waiting = sentVersion > desk.known && performance.now() - sentAt < ANSWER;
  if (waiting) return later(); // one answer at a time: the newest text goes out when the former came back
  sentVersion = desk.version;
  sentAt = performance.now();
  reportText({ text: desk.editor.getValue(), version: desk.version });
}

// -- what the engine found

function clear(session) {
  for (const [id, range] of desk.marked ?? []) {
    session.removeMarker(id);
    range.start.detach();
    range.end.detach();
  }
  desk.marked = [];
}
function show(data) {
  const session = desk.editor.session;
  session.setAnnotations(data.marks);
  clear(session);
  for (const one of data.stretches) {
    const range = new desk.ace.Range(one.startRow, one.startCol, one.endRow, one.endCol);
    range.start = session.doc.createAnchor(range.start); // moves with the text until the next answer
    range.end = session.doc.createAnchor(range.end);
    desk.marked.push([session.addMarker(range, one.className, one.type, false), range]);
  }
}
function shift(delta) {
  const session = desk.editor.session;
  const lines = delta.lines.length - 1;
  if (!lines) return;
  const by = delta.action === "insert" ? lines : -lines;
  const marks = session.getAnnotations();
  if (!marks.some((one) => one.row > delta.start.row)) return;
  session.setAnnotations(marks.map((one) => (one.row > delta.start.row ? { ...one, row: Math.max(delta.start.row, one.row + by) } : one)));
}

// -- completion

const completer = {
  identifierRegexps: [/[\[<a-zA-Z_: ,=-]/],
  getCompletions(editor, session, position, prefix, give) {
    const line = session.getLine(position.row).slice(0, position.column);
    const open = Math.max(line.lastIndexOf("["), line.lastIndexOf("<"));
    if (open < 0 || /[\]>]/.test(line.slice(open))) return give(null, []);
    const closed = "]>".includes(session.getLine(position.row)[position.column] ?? " "); // Ace typed the other bracket
    give(null, offers(line.slice(open), prefix).map((one) => (closed ? { ...one, value: one.value.replace(/[\]>]$/, "") } : one)));
  },
  getDocTooltip(item) {
    if (item.help) item.docHTML = make("div", { textContent: item.help }).outerHTML;
  },
};
// Ace replaces the prefix, which may hold words before the bracket: they are put back in front.
function offers(begun, prefix) {
  const before = prefix.slice(0, Math.max(0, prefix.length - begun.length));
  const comma = begun.lastIndexOf(",");
  const words = desk.words.filter((one) => one.text[0] === begun[0]);
  if (comma < 0) return words.map((one, place) => ({ caption: before + one.text, value: before + one.text, meta: one.kind, help: one.help, score: 900 - place }));
  const asked = words.find((one) => begun.toLowerCase().startsWith(one.text.slice(0, -1).toLowerCase()));
  const stem = before + begun.slice(0, comma + 1) + " ";
  return (asked?.arguments ?? []).map((one, place) => ({ caption: stem + one.text, value: stem + one.text, meta: one.kind, help: one.help, score: 900 - place }));
}

// -- keys

function bind(editor) {
  const commands = [
    ["studioSave", "Ctrl-S", "Command-S", () => desk.act("save")],
    ["studioRoll", "Ctrl-Shift-R", "Command-Shift-R", () => desk.act("roll")],
    ["studioFix", "Ctrl-.", "Command-.", () => fixHere()],
    ["studioNext", "F8", "F8", () => nextProblem()],
  ];
  for (const [name, win, mac, exec] of commands) editor.commands.addCommand({ name, bindKey: { win, mac }, exec });
}
function fixHere() {
  const row = desk.editor.getCursorPosition().row;
  const one = desk.problems.find((found) => found.row === row && found.fix);
  if (one) desk.fix(one);
}
function nextProblem() {
  const { row, column } = desk.editor.getCursorPosition();
  const inOrder = [...desk.problems].sort((a, b) => a.row - b.row || a.column - b.column);
  const next = inOrder.find((one) => one.row > row || (one.row === row && one.column > column)) ?? inOrder[0];
  if (next) desk.goTo(next.row, next.column);
}

// -- joining

function join(frame, editor, data) {
  desk.ace = frame.contentWindow.ace;
  desk.editor = editor;
  desk.frame = frame;
  desk.version = desk.known = sentVersion = data.version; // a new frame goes on counting where the engine is
  desk.done = data.change?.serial ?? 0;
  desk.marked = [];
  editor.completers = [completer];
  editor.setOptions({ fontFamily: '"Source Code Pro", ui-monospace, Menlo, Consolas, monospace', scrollPastEnd: 0.3 });
  editor.renderer.setPadding(12);
  editor.container.style.lineHeight = "1.5";
  editor.session.on("change", (delta) => {
    desk.version += 1;
    shift(delta);
    desk.tell("typed", desk.version);
    later();
  });
  editor.selection.on("changeCursor", () => desk.tell("cursor", editor.getCursorPosition().row));
  editor.on("blur", send);
  bind(editor);
  desk.flush = send;
  window.addEventListener("resize", fit);
  fit();
}
function fit() {
  const frame = desk.frame;
  if (!frame?.isConnected) return window.removeEventListener("resize", fit);
  const room = window.innerHeight - frame.getBoundingClientRect().top - 36;
  desk.editor.container.style.height = `${Math.max(360, room)}px`;
  desk.editor.resize();
}
// The frame of this edition: while one editor makes room for the next, both are in the page, the new one last.
function found(data) {
  const frame = [...document.querySelectorAll('iframe[title^="streamlit_ace"]')].at(-1);
  const editor = frame?.contentDocument?.querySelector(".ace_editor")?.env?.editor;
  const former = editor === desk.editor && desk.edition !== data.edition;
  return editor && !former ? [frame, editor] : null;
}
function update([frame, editor], data) {
  dress(frame.contentDocument, data.theme);
  if (desk.editor !== editor || desk.edition !== data.edition) {
    desk.edition = data.edition;
    join(frame, editor, data);
  }
  fit();
  desk.known = Math.max(desk.known, data.version);
  desk.problems = data.problems;
  if (data.change && data.change.serial > desk.done) {
    desk.done = data.change.serial;
    desk.change(data.change.edits, data.change.version, data.change.cursor); // not made when she typed on: her text comes next
  }
  if (desk.fresh) show(data);
  desk.tell("answer", data);
}
export default function ({ data, setStateValue, setTriggerValue }) {
  reportText = (value) => setStateValue("typed", value);
  desk.act = (action, more = {}) => {
    if (!desk.editor) return;
    const { row, column } = desk.editor.getCursorPosition();
    sentVersion = desk.version;
    sentAt = performance.now();
    setTriggerValue("action", { action, row, column, text: desk.editor.getValue(), version: desk.version, ...more });
  };
  desk.fix = (one) => {
    if (one.edits && desk.change(one.edits, desk.known)) desk.goTo(one.row, one.column);
    else if (!one.edits) desk.act("fix", { code: one.code, start: one.start });
  };
  let waiting = true;
  const look = () => {
    const lost = !desk.editor || !desk.frame?.isConnected;
    const there = waiting || lost ? found(data) : null;
    if (!there) return;
    waiting = false;
    update(there, data);
  };
  look();
  const timer = setInterval(look, 60);
  return () => clearInterval(timer);
}
