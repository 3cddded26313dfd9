// Puts a text on the clipboard. data: {text, label}. Text is only ever put in as text.
const SHOWN_MS = 1600;

// A page that is not served over HTTPS, from another computer for one, has no clipboard of its own.
function copyByHand(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.style.cssText = "position:fixed;opacity:0";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByHand(text);
  }
}

function build(root) {
  const button = document.createElement("button");
  const icon = document.createElement("span");
  const words = document.createElement("span");
  button.type = "button";
  icon.className = "icon";
  icon.setAttribute("aria-hidden", "true");
  words.setAttribute("role", "status");
  button.append(icon, words);
  root.append(button);
  return { button, icon, words };
}

export default function ({ data, parentElement }) {
  const parts = (parentElement.copyParts ??= build(parentElement));
  const rest = () => {
    parts.icon.textContent = "content_copy";
    parts.words.textContent = data.label;
  };
  parts.button.setAttribute("aria-label", data.name);
  parts.button.title = data.name;
  parts.button.onclick = async () => {
    const done = await copy(data.text);
    parts.icon.textContent = done ? "check" : "error";
    parts.words.textContent = done ? "Copied" : "Not copied";
    setTimeout(rest, SHOWN_MS);
  };
  rest();
}
