// Reaches into the Ace editor's frame (same origin) for what streamlit-ace has no argument for: the colours of marked
// stretches, the studio's paper and ink, and jumping to a line. Gets a theme name and numbers, never text of a user.
const SHEET = `
  .studio-tag-user, .studio-tag-dm, .studio-tag-toolcall, .studio-tag-system, .studio-result, .studio-ask,
  .studio-error, .studio-warning, .studio-info { position: absolute; border-radius: 3px; }
  .studio-tag-user { background: #8f6fc938; } .studio-tag-dm { background: #80808038; }
  .studio-tag-toolcall, .studio-result { background: #4b86c930; } .studio-tag-system { background: #80808026; }
  .studio-ask { background: #c9803a3a; }
  .studio-error, .studio-warning, .studio-info { border-radius: 0; box-sizing: border-box; border-bottom: 2px dotted #d0585c; }
  .studio-warning { border-color: #c9803a; } .studio-info { border-color: #4b86c9; }
  .ace_editor { border-radius: 8px; }
  .ace_editor .ace_print-margin { display: none; }
`;
const THEMES = {
  light: { page: "#fcfbf8", paper: "#fffefb", gutter: "#f6f3ed", ink: "#2b2724", faint: "#a0978b", active: "#f3efe6" },
  dark: { page: "#191715", paper: "#1e1b19", gutter: "#191715", ink: "#ebe6de", faint: "#7d756b", active: "#272320" },
};
function dress(frame, theme) {
  const document = frame.contentDocument;
  let style = document.getElementById("studio-style");
  if (!style) {
    style = document.createElement("style");
    style.id = "studio-style";
  }
  const t = THEMES[theme] || THEMES.light;
  style.textContent = SHEET + `
    .ace_editor.ace_editor { background: ${t.paper}; color: ${t.ink}; border: 1px solid ${t.active}; }
    .ace_editor .ace_gutter.ace_gutter { background: ${t.gutter}; color: ${t.faint}; }
    .ace_editor .ace_marker-layer .ace_active-line, .ace_editor .ace_gutter-active-line { background: ${t.active}; }`;
  document.documentElement.style.background = document.body.style.background = t.page;
  document.head.appendChild(style); // last, so that it wins over the theme of Ace
}
function editorOf(frame) {
  const element = frame && frame.contentDocument && frame.contentDocument.querySelector(".ace_editor");
  return element && element.env && element.env.editor;
}
export default function ({ data }) {
  let tries = 0;
  const timer = setInterval(() => {
    const frame = document.querySelector('iframe[title^="streamlit_ace"]');
    const editor = editorOf(frame);
    if (!editor && ++tries < 100) return;
    clearInterval(timer);
    if (!editor) return;
    dress(frame, data.theme);
    editor.renderer.setPadding(10);
    editor.container.style.lineHeight = "1.5";
    editor.setOption("fontFamily", '"Source Code Pro", ui-monospace, Menlo, Consolas, monospace');
    const wanted = `${data.line}/${data.turn}`;
    if (data.line && frame.dataset.studioJump !== wanted) {
      frame.dataset.studioJump = wanted;
      editor.resize(true);
      editor.gotoLine(data.line, Math.max(0, data.column - 1), false);
      editor.scrollToLine(data.line - 1, true, false);
      editor.focus();
    }
  }, 60);
  return () => clearInterval(timer);
}
