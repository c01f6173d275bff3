// Gives each machine's effort to the style sheet, which turns it into the pace of its breath.
// A new pace continues the breath where it is: neither a push nor a change of tempo makes it jump.
import { onChange } from "./changes.js";

const NAMES = new Set(["breathe", "glow"]);

// Asking for animations also makes the browser take in what was just set.
const breathsOf = (machine) => machine.getAnimations({ subtree: true })
  .filter(({ animationName, pending }) => NAMES.has(animationName) && !pending);

function phase(breath) {
  const { duration, delay } = breath.effect.getComputedTiming();
  return (((breath.currentTime - delay) / duration) % 1 + 1) % 1;
}

// The next moment of the new pace that is in the phase of the old one.
function resume(breath, at) {
  const { duration, delay } = breath.effect.getComputedTiming();
  const breaths = Math.ceil((breath.currentTime - delay) / duration - at);
  breath.currentTime = (breaths + at) * duration + delay;
}

function follow() {
  for (const machine of document.querySelectorAll(".machine[data-intensity]")) {
    const { intensity } = machine.dataset;
    if (machine.style.getPropertyValue("--intensity") === intensity) continue;
    const phases = new Map(breathsOf(machine).map((breath) => [breath, phase(breath)]));
    machine.style.setProperty("--intensity", intensity);
    for (const breath of breathsOf(machine)) {
      if (phases.has(breath)) resume(breath, phases.get(breath));
    }
  }
}

onChange(follow, ["data-intensity"]);
