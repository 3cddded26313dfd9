// Draws the page anew when a reply was stopped: then the page's script has ended in the middle, what was said is kept, but
// the picture is still that of a reply in the making, with its cursor. Nothing is shown.
const GLANCE_MS = 300;

function stopped() {
  const app = document.querySelector('[data-testid="stApp"]');
  return app?.getAttribute("data-test-script-state") === "notRunning" && document.querySelector(".st-key-live_turn .cursor");
}

export default function ({ parentElement, setTriggerValue }) {
  clearInterval(parentElement.studioWatch);
  let seen = 0;
  parentElement.studioWatch = setInterval(() => {
    seen = stopped() ? seen + 1 : 0;
    if (seen === 2) setTriggerValue("stopped", true);
  }, GLANCE_MS);
  return () => clearInterval(parentElement.studioWatch);
}
