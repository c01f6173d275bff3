// Figures as people read them, the same as the tables of the page.
function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
}

function elapsed(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 10000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms);
}

function number(value) {
  return value.toLocaleString("en-US", { maximumFractionDigits: 1 });
}

const SAID = {
  ms: elapsed,
  rate: number,
  count: number,
  share: (part) => `${Math.round(100 * part)} %`,
  gb: (size) => `${Math.round(size).toLocaleString("en-US")} GB`,
  degrees: (heat) => `${Math.round(heat)} °C`,
  watts: (power) => `${Math.round(power)} W`,
};

export function told(kind, value) {
  return value == null ? "unknown" : SAID[kind](value);
}

// An axis has room for little: half seconds and half requests are left out.
export function axisText(kind, value) {
  if (kind === "count" && !Number.isInteger(value)) return "";
  if (kind === "ms" && value >= 60000) return `${number(value / 60000)} min`;
  if (kind === "ms" && value >= 1000) return `${number(value / 1000)} s`;
  return value === 0 && kind === "ms" ? "0" : told(kind, value);
}
