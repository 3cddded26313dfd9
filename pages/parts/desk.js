// The desk: what the parts of the editor page share in the browser. Put in front of each part's own script, so that all
// of them use the one in `window.studioDesk`.
//
// streamlit-ace has arguments for text, gutter marks and stretches, and reports the text when typing has paused. The
// parts reach into its frame (same origin) for the rest: jumping, replacing a stretch so that Ctrl+Z brings it back,
// completion, and marks that move with the text. `version` counts the changes of the text; what the engine says names
// the version that it is about, and is used only when it is about the text on the desk.
//
// Text of users is only ever put in with textContent or by Ace as text, never as markup.
function newDesk() {
  const listeners = new Map();
  const desk = {
    version: 0,     // changes of the text since this editor was opened
    known: 0,       // the version that the engine last spoke about
    words: [],      // what completion offers
    problems: [],   // of `known`
    editor: null,   // Ace's editor, when it is there, and its frame
    frame: null,
    report: () => {},
    on(topic, hear) {
      if (!listeners.has(topic)) listeners.set(topic, new Set());
      listeners.get(topic).add(hear);
      return () => listeners.get(topic).delete(hear);
    },
    tell(topic, value) {
      desk[`last_${topic}`] = value;
      for (const hear of [...(listeners.get(topic) ?? [])]) hear(value);
    },
    get fresh() { return desk.version === desk.known; },
    get ready() { return Boolean(desk.editor?.container.isConnected && desk.frame?.isConnected && desk.fresh); },
    goTo(row, column) {
      if (!desk.editor) return;
      desk.editor.resize(true);
      desk.editor.gotoLine(row + 1, Math.max(0, column), false);
      desk.editor.scrollToLine(row, true, false);
      desk.editor.focus();
    },
    // Edits of one text, from top to bottom, as one step of undo. Gives whether they were made.
    change(edits, version, cursor) {
      if (!desk.editor || version !== desk.version) return false;
      const session = desk.editor.session;
      const { Range } = desk.ace;
      session.markUndoGroup();
      for (const one of [...edits].reverse()) {
        session.replace(new Range(one.startRow, one.startCol, one.endRow, one.endCol), one.text);
        session.mergeUndoDeltas = true;
      }
      session.mergeUndoDeltas = false;
      if (cursor) desk.goTo(cursor[0], cursor[1]);
      desk.flush();
      return true;
    },
    flush() {},
  };
  return desk;
}
const desk = (window.studioDesk ??= newDesk());
function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((one) => one !== null && one !== undefined));
  return element;
}
function icon(name) {
  return make("span", { className: "icon", "aria-hidden": "true", textContent: name });
}
