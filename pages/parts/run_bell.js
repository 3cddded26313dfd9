// Tells that a run has ended: a notification where the browser allows it, and two short notes. It hears of the end from
// the page, which goes on in the background; nothing is asked of the network. Text is only ever put in as text.
//
// data: {run, going, title, text}. What was seen last is kept in the window, so that the element may come and go.
const WISH = "studio-tell-me-when-a-run-ends"; // in this browser, for every run
const NOTES = [[659.3, 0], [880, 0.18]];       // hertz, seconds
const bell = (window.studioBell ??= { going: new Map(), told: new Map(), sound: null });

const wished = () => localStorage.getItem(WISH) === "yes";

// A browser gives sound only to a page that somebody has touched.
function sound() {
  const Context = window.AudioContext ?? window.webkitAudioContext;
  if (!Context) return null;
  bell.sound ??= new Context();
  if (bell.sound.state === "suspended") bell.sound.resume().catch(() => {});
  return bell.sound;
}

function ring() {
  const context = sound();
  if (!context) return;
  for (const [pitch, after] of NOTES) {
    const tone = context.createOscillator();
    const volume = context.createGain();
    const start = context.currentTime + 0.02 + after;
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.0001, start);
    volume.gain.exponentialRampToValueAtTime(0.2, start + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.6);
    tone.connect(volume).connect(context.destination);
    tone.start(start);
    tone.stop(start + 0.65);
  }
}

function notify({ run, title, text }) {
  if (window.Notification?.permission !== "granted") return false;
  try {
    const shown = new Notification(title, { body: text, tag: `studio-run-${run}` });
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
    return true;
  } catch { // a phone's browser shows them through a service worker only
    return false;
  }
}

function tell(data) {
  ring();
  const how = notify(data) ? "A notification was sent." : "A sound was played; notifications are not allowed here.";
  bell.told.set(data.run, `${data.title}. ${how}`);
}

function explained() {
  if (!wished()) return "";
  if (!window.Notification) return "You will hear a sound. This browser shows no notifications for this address.";
  if (Notification.permission === "granted") {
    return "You will see a notification and hear a sound, as long as this page stays open. It may be in the background.";
  }
  if (Notification.permission === "denied") {
    return "You will hear a sound only, because this browser does not allow the studio to show notifications. "
      + "To change that, open the site settings beside the address and allow notifications.";
  }
  return "You will hear a sound only, because the question about notifications was not answered. Tick again to be asked.";
}

async function wish(on, redraw) {
  localStorage.setItem(WISH, on ? "yes" : "no");
  if (on) {
    ring(); // so that one knows it, and the browser knows that it is wanted
    if (window.Notification?.permission === "default") await Notification.requestPermission().catch(() => {});
  }
  redraw();
}

function build(root) {
  const box = document.createElement("div");
  const label = document.createElement("label");
  const tick = document.createElement("input");
  const words = document.createElement("span");
  const status = document.createElement("span");
  box.className = "bell";
  tick.type = "checkbox";
  words.textContent = "Tell me when it ends";
  status.className = "status";
  status.setAttribute("role", "status");
  label.append(tick, words);
  box.append(label, status);
  root.append(box);
  return { box, label, tick, status };
}

export default function ({ data, parentElement }) {
  const parts = (parentElement.bellParts ??= build(parentElement));
  const redraw = () => {
    const told = data.going ? "" : bell.told.get(data.run) ?? "";
    parts.tick.checked = wished();
    parts.label.hidden = !data.going;
    const text = data.going ? explained() : told;
    if (parts.status.textContent !== text) parts.status.textContent = text;
    parts.box.hidden = !data.going && !told;
  };
  parts.tick.onchange = () => wish(parts.tick.checked, redraw);
  if (bell.going.get(data.run) && !data.going && wished()) tell(data);
  if (data.going) bell.told.delete(data.run);
  bell.going.set(data.run, data.going);
  redraw();
}
