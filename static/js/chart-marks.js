// Where there are more, lines would hide what they are to explain: only their flags are drawn.
const MOST_LINES = 24;

// Thin lines through a chart where something happened; the list below the charts has the words.
export function marksPlugin(marks, colourOf) {
  function draw(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.setLineDash([2, 3]);
    ctx.lineWidth = devicePixelRatio;
    const shown = marks().filter((mark) => mark.at >= u.scales.x.min && mark.at <= u.scales.x.max);
    for (const mark of shown) {
      const x = Math.round(u.valToPos(mark.at, "x", true));
      ctx.strokeStyle = ctx.fillStyle = colourOf(mark.tone);
      if (shown.length <= MOST_LINES) line(ctx, x, bbox);
      flag(ctx, x, bbox.top, mark.tone);
    }
    ctx.restore();
  }
  return { hooks: { drawAxes: draw } };
}

function line(ctx, x, bbox) {
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
}

// Trouble points down, what is good again points up: not by colour alone.
function flag(ctx, x, top, tone) {
  const size = 4 * devicePixelRatio;
  const [from, to] = tone === "hurt" ? [top, top + size * 1.5] : [top + size * 1.5, top];
  ctx.beginPath();
  ctx.moveTo(x - size, from);
  ctx.lineTo(x + size, from);
  ctx.lineTo(x, to);
  ctx.fill();
}
