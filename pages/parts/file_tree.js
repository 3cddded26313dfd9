// The tree of scenario files. Mounted twice: once for the rows ({groups}), once for what is seen ({current, marks,
// unsaved}). Only rows on screen are in the document, so that ten thousand files cost as much as ten.
//
// Names and titles are a user's text: they are put in with textContent, never as markup.
const ROW = 28;             // px, as in file_tree.css
const ALL_OPEN = 40;        // files up to which every group begins open
const PAUSE = 180;          // ms without scrolling before rows are asked for their marks
const TYPING = 700;         // ms within which letters make one word when jumping by typing
const tree = (window.studioFileTree ??= {
  groups: [], open: null, marks: new Map(), unsaved: new Set(), current: "", reveal: "", query: "", active: "", lines: [],
});

function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter(Boolean));
  return element;
}
const icon = (name, className = "") => make("span", { className: `icon ${className}`, "aria-hidden": "true", textContent: name });
const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

// -- what there is

function take(groups) {
  tree.groups = groups.map((group) => ({
    ...group,
    rows: group.rows.map(([name, title]) => ({
      id: `${group.type}/${name}`, type: group.type, label: title || name, file: `${name}.md`, folded: fold(`${title || name} ${name}`),
    })),
  }));
  const total = tree.groups.reduce((sum, group) => sum + group.rows.length, 0);
  tree.open ??= new Set(total <= ALL_OPEN ? groups.map((one) => one.type) : []);
  refresh();
}

// Lines from top to bottom: a group, then its files when it is open. A search opens every group that has a match.
function visibleLines() {
  const words = fold(tree.query).split(/\s+/).filter(Boolean);
  const lines = [];
  for (const group of tree.groups) {
    const rows = words.length ? group.rows.filter((row) => words.every((word) => row.folded.includes(word))) : group.rows;
    if (words.length && !rows.length) continue;
    const open = Boolean(words.length) || tree.open.has(group.type);
    lines.push({ key: group.type, group, open, count: rows.length });
    if (open) rows.forEach((row, place) => lines.push({ key: row.id, row, place: place + 1, of: rows.length }));
  }
  return lines;
}

function refresh() {
  if (!tree.parts) return;
  tree.lines = visibleLines();
  if (tree.reveal) revealOpenFile();
  const { scroller, room, none, spoken, input } = tree.parts;
  const files = tree.lines.reduce((sum, line) => sum + (line.row ? 1 : 0), 0);
  room.style.height = `${tree.lines.length * ROW}px`;
  scroller.style.height = `min(${tree.lines.length * ROW}px, ${tree.current ? 32 : 50}vh)`;
  scroller.hidden = !tree.lines.length;
  none.hidden = !tree.query.trim() || files > 0;
  spoken.textContent = tree.query.trim() ? (files === 1 ? "1 file" : `${files} files`) : "";
  if (input.value !== tree.query) input.value = tree.query;
  if (!tree.lines.some((line) => line.key === tree.active)) tree.active = tree.lines[0]?.key ?? "";
  if (tree.reveal) toLine(tree.reveal);
  tree.reveal = "";
  paint();
}

// The open file's group is opened; rows may come after the news of which file is open.
function revealOpenFile() {
  const group = tree.groups.find((one) => one.rows.some((row) => row.id === tree.reveal));
  if (!group) return;
  tree.open.add(group.type);
  tree.active = tree.reveal;
  tree.lines = visibleLines();
}

// -- drawing

function groupRow(line) {
  const { type, icon: symbol } = line.group;
  const label = type[0].toUpperCase() + type.slice(1);
  const add = make("button", { type: "button", className: "add", tabIndex: -1, title: `New ${type} scenario`, "aria-label": `New ${type} scenario` }, icon("add"));
  add.onclick = (event) => {
    event.stopPropagation();
    tree.tell("new", type);
  };
  return make("div", { className: `row group${line.count ? "" : " bare"}`, "aria-level": "1", "aria-expanded": String(line.open), "aria-label": `${label}, ${line.count.toLocaleString("en")}` },
    icon("chevron_right", "fold"), icon(symbol, "kind"),
    make("span", { className: "words" }, make("span", { textContent: label }), " ", make("span", { className: "count", textContent: line.count.toLocaleString("en") })),
    add);
}
function fileRow(line) {
  const { row } = line;
  const mark = tree.marks.get(row.id);
  const dots = [];
  if (tree.unsaved.has(row.id)) dots.push(["unsaved", "Unsaved text"]);
  if (mark === "error") dots.push(["error", "Has errors"]);
  if (mark === "warning") dots.push(["warning", "Has warnings"]);
  const element = make("div", {
    className: `row file${row.id === tree.current ? " open" : ""}`, title: `${row.label}\n${row.id}.md`, "aria-level": "2",
    "aria-posinset": String(line.place), "aria-setsize": String(line.of), "aria-selected": String(row.id === tree.current),
    "aria-label": [row.label, ...dots.map(([, words]) => words)].join(", "),
  }, make("span", { className: "words", textContent: row.label }));
  for (const [kind, words] of dots) element.append(make("span", { className: `dot ${kind}`, title: words }));
  return element;
}
function paint() {
  const { scroller, room } = tree.parts;
  const height = scroller.clientHeight || ROW;
  const first = Math.max(0, Math.floor(scroller.scrollTop / ROW) - 4);
  const last = Math.min(tree.lines.length, Math.ceil((scroller.scrollTop + height) / ROW) + 4);
  const rows = tree.lines.slice(first, last).map((line, offset) => {
    const element = line.group ? groupRow(line) : fileRow(line);
    element.id = `line-${first + offset}`;
    element.setAttribute("role", "treeitem");
    element.dataset.key = line.key;
    element.style.top = `${(first + offset) * ROW}px`;
    element.classList.toggle("active", line.key === tree.active);
    return element;
  });
  room.replaceChildren(...rows);
  const active = rows.find((row) => row.dataset.key === tree.active);
  if (active) scroller.setAttribute("aria-activedescendant", active.id);
  else scroller.removeAttribute("aria-activedescendant");
  clearTimeout(tree.timer);
  tree.timer = setTimeout(askForMarks, PAUSE);
}
function askForMarks() {
  const { scroller } = tree.parts;
  if (!scroller.isConnected || !scroller.clientHeight) return;
  const first = Math.floor(scroller.scrollTop / ROW);
  const seen = tree.lines.slice(first, Math.ceil((scroller.scrollTop + scroller.clientHeight) / ROW));
  const ids = seen.filter((line) => line.row).map((line) => line.row.id);
  const asked = ids.join("\n");
  if (asked === tree.asked || ids.every((id) => tree.marks.has(id))) return;
  tree.asked = asked;
  tree.ask(ids);
}

// -- keys and clicks

function toLine(key) {
  const place = tree.lines.findIndex((line) => line.key === key);
  const { scroller } = tree.parts;
  if (place < 0) return;
  const [top, bottom] = [place * ROW, (place + 1) * ROW];
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (bottom > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom - scroller.clientHeight;
}
function activate(place) {
  const line = tree.lines[Math.max(0, Math.min(tree.lines.length - 1, place))];
  if (!line) return;
  tree.active = line.key;
  toLine(line.key);
  paint();
}
function enter(line) {
  if (line?.row) tree.tell("open", line.row.id);
  else if (line) toggle(line);
}
function toggle(line) {
  if (tree.query.trim()) return; // a search shows all that it found
  if (line.open) tree.open.delete(line.key);
  else tree.open.add(line.key);
  tree.active = line.key;
  refresh();
}
function left(line, place) {
  if (line.open) toggle(line);
  else if (line.row) activate(tree.lines.findIndex((one) => one.key === line.row.type));
  else activate(place - 1);
}
function right(line, place) {
  if (line.group && !line.open) toggle(line);
  else activate(place + 1);
}
function jumpByTyping(letter, place) {
  const now = Date.now();
  tree.typed = now - (tree.typedAt ?? 0) < TYPING ? tree.typed + letter : letter;
  tree.typedAt = now;
  const wanted = fold(tree.typed);
  const from = tree.typed.length > 1 ? place : place + 1;
  const order = tree.lines.map((_, step) => (from + step) % tree.lines.length);
  const found = order.find((at) => (tree.lines[at].row?.folded ?? tree.lines[at].key).startsWith(wanted));
  if (found !== undefined) activate(found);
}
function onKey(event) {
  const place = Math.max(0, tree.lines.findIndex((line) => line.key === tree.active));
  const line = tree.lines[place];
  const page = Math.max(1, Math.floor(tree.parts.scroller.clientHeight / ROW) - 1);
  const actions = {
    ArrowDown: () => activate(place + 1), ArrowUp: () => activate(place - 1),
    ArrowRight: () => right(line, place), ArrowLeft: () => left(line, place),
    Home: () => activate(0), End: () => activate(tree.lines.length - 1),
    PageDown: () => activate(place + page), PageUp: () => activate(place - page),
    Enter: () => enter(line), "+": () => tree.tell("new", line.row?.type ?? line.key),
    "/": () => tree.parts.input.focus(),
  };
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (!line || !plain) return;
  if (actions[event.key]) actions[event.key]();
  else if (event.key.length === 1) jumpByTyping(event.key, place);
  else return;
  event.preventDefault();
  event.stopPropagation(); // Streamlit has shortcuts of one letter
}
function onSearchKey(event) {
  event.stopPropagation();
  const first = tree.lines.findIndex((line) => line.row);
  if (event.key === "Escape") search("");
  else if (event.key === "ArrowDown" && tree.lines.length) {
    activate(Math.max(0, first));
    tree.parts.scroller.focus();
  } else if (event.key === "Enter" && tree.query.trim()) {
    if (first >= 0) enter(tree.lines[first]);
    else tree.tell("search", tree.query);
  } else return;
  event.preventDefault();
}
function search(query) {
  tree.query = query;
  tree.parts.scroller.scrollTop = 0;
  refresh();
}

// -- the elements

function build(root) {
  const input = make("input", { type: "search", placeholder: "Search files", "aria-label": "Search files by name and title", autocomplete: "off", spellcheck: false });
  const room = make("div", { role: "presentation" });
  const scroller = make("div", { className: "scroller", role: "tree", tabIndex: 0, "aria-label": "Scenario files" }, room);
  const inside = make("button", { type: "button", textContent: "Search inside the texts" });
  const none = make("div", { className: "none", hidden: true }, make("div", { textContent: "No file is called that." }), inside);
  const spoken = make("div", { className: "spoken", role: "status" });
  input.oninput = () => search(input.value);
  input.onkeydown = onSearchKey;
  inside.onclick = () => tree.tell("search", tree.query);
  scroller.onkeydown = onKey;
  scroller.onscroll = () => requestAnimationFrame(paint);
  room.onclick = (event) => {
    const line = tree.lines.find((one) => one.key === event.target.closest(".row")?.dataset.key);
    if (!line) return;
    tree.active = line.key;
    enter(line);
  };
  const box = make("div", { className: "tree" }, input, none, scroller, spoken);
  root.append(box);
  return { box, input, room, scroller, none, spoken };
}
export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  if (data.groups) {
    take(data.groups);
    return;
  }
  tree.ask = (ids) => setStateValue("shown", ids);
  tree.tell = (name, value) => setTriggerValue(name, value);
  if (!parentElement.querySelector(".tree")) tree.parts = build(parentElement);
  for (const [id, mark] of Object.entries(data.marks)) tree.marks.set(id, mark);
  tree.unsaved = new Set(data.unsaved);
  if (data.current !== tree.current) tree.reveal = data.current;
  tree.current = data.current;
  refresh();
}
