// What lies over the points: a path, further points, rings around some.
const RINGS = 3000 // around points that were found, at most
const RING = 6 // CSS pixels of a ring's radius,
const FINE_RING = 3.5 // where there are many
const MANY = 200
const EXTRA = 3.4 // CSS pixels of the side of a further point

class Overlay {
  constructor() {
    this.path = [] // places of a path
    this.extras = [] // { places: Float32Array, colour }
    this.found = [] // rows to ring
  }

  draw(context, camera, points, { accent, ink, ground, ratio }) {
    for (const { places, colour } of this.extras) this.#scatter(context, camera, places, colour, ground)
    drawLine(context, camera, this.path, { ink: accent, ground, width: 2.5 })
    this.#rings(context, camera, points, ink, ratio)
  }

  #scatter(context, camera, places, colour, ground) {
    const half = EXTRA / 2
    for (const [side, style] of [[half + 1, ground], [half, colour]]) {
      context.fillStyle = style
      for (let i = 0; i < places.length; i += 2) {
        const [x, y] = camera.toScreen(places[i], places[i + 1])
        if (x < -4 || y < -4 || x > camera.width + 4 || y > camera.height + 4) continue
        context.fillRect(x - side, y - side, 2 * side, 2 * side)
      }
    }
  }

  #rings(context, camera, points, ink, ratio) {
    const radius = this.found.length > MANY ? FINE_RING : RING
    const key = `${ink} ${ratio} ${radius}`
    if (key !== this.key) [this.key, this.stamp] = [key, drawRing(ink, ratio, radius)]
    const side = 2 * radius + 2
    for (const row of this.found.slice(0, RINGS)) {
      if (points.paint[row] === HIDDEN) continue
      const [x, y] = camera.toScreen(points.places[2 * row], points.places[2 * row + 1])
      if (x < -side || y < -side || x > camera.width + side || y > camera.height + side) continue
      context.drawImage(this.stamp, x - side / 2, y - side / 2, side, side)
    }
  }
}

// Draw a line through some places, over a wider one of the ground's colour.
function drawLine(context, camera, places, { ink, ground, width, closed = false }) {
  if (places.length < 2) return
  context.beginPath()
  places.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](...camera.toScreen(x, y)))
  if (closed) {
    context.closePath()
    context.globalAlpha = 0.06
    context.fillStyle = ink
    context.fill("evenodd")
    context.globalAlpha = 1
  }
  context.lineJoin = "round"
  stroke(context, { ink, ground, width })
}

function stroke(context, { ink, ground, width }) {
  for (const [style, wide] of [[ground, width + 2.5], [ink, width]]) {
    Object.assign(context, { strokeStyle: style, lineWidth: wide })
    context.stroke()
  }
}

function drawRing(ink, ratio, radius) {
  const side = 2 * radius + 2
  const canvas = make("canvas", "", { width: side * ratio, height: side * ratio })
  const context = canvas.getContext("2d")
  context.scale(ratio, ratio)
  Object.assign(context, { strokeStyle: ink, lineWidth: 1.5 })
  context.beginPath()
  context.arc(side / 2, side / 2, radius, 0, 2 * Math.PI)
  context.stroke()
  return canvas
}
