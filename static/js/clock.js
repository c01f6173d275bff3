// Tells times in the reader's own zone, and lets elapsed times tick without the server's help.
import { onChange } from "./changes.js";

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function elapsed(since) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(since)) / 1000));
  const at = UNITS.findIndex(([size]) => seconds >= size);
  if (at < 0) return "0 s";
  const [size, unit] = UNITS[at];
  const next = UNITS[at + 1];
  const rest = next ? Math.floor((seconds % size) / next[0]) : 0;
  return rest ? `${Math.floor(seconds / size)} ${unit} ${rest} ${next[1]}` : `${Math.floor(seconds / size)} ${unit}`;
}

function clock(at) {
  const time = new Date(at);
  const today = time.toDateString() === new Date().toDateString();
  const hours = time.toLocaleTimeString([], { hour12: false });
  return today ? hours : `${time.toLocaleDateString()} ${hours}`;
}

function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function refresh() {
  for (const time of document.querySelectorAll("time[data-since]")) tell(time, `for ${elapsed(time.dateTime)}`);
  for (const time of document.querySelectorAll("time[data-clock][datetime]")) tell(time, clock(time.dateTime));
}

onChange(refresh, ["datetime"]);
setInterval(refresh, 1000);
