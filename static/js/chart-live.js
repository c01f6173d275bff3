// Keeps the right edge up to date while it is now and somebody looks; then draws again.
export function keepUp(draw) {
  const history = document.getElementById("history");
  if (!history?.hasAttribute("data-live")) return;
  const every = Number(history.dataset.every) * 1000;
  let due = Date.now() + every;

  function ask() {
    if (document.visibilityState !== "visible" || Date.now() < due) return;
    if (document.querySelector(".u-select[style*='width: ']:not([style*='width: 0px'])")) return;
    due = Date.now() + every;
    document.getElementById("history-due").dispatchEvent(new Event("due"));
    for (const table of document.querySelectorAll("#tables [open]")) table.dispatchEvent(new Event("due"));
  }

  setInterval(ask, 1000);
  document.addEventListener("visibilitychange", ask);
  document.addEventListener("htmx:after:swap", (event) => { if (event.target.id === "history-due") draw(); });
}
