// What lies over the points: a path, further points, rings around some, pins.
const RINGS = 3000 // around points that were found, at most
const RING = 6 // CSS pixels of a ring's radius,
const FINE_RING = 3.5 // where there are many
const MANY = 200
const EXTRA = [5, 3.8] // CSS pixels of the side of a further point, the second
const SMALL = 560 // on maps narrower than this
const OWN = 7 // and of the radius of a person's own image
const PIN = [7, 17] // the radius of the head of the pin at the point of Explore, and how high above it that is
// Outlines of further points around the origin, of about the same area: `MARKS` in scene.py.
const MARKS = {
  square: [[-1, -1], [1, -1], [1, 1], [-1, 1]],
  diamond: [[0, -1.42], [1.42, 0], [0, 1.42], [-1.42, 0]],
  triangle: [[0, -1.5], [1.45, 1.1], [-1.45, 1.1]],
} // prettier-ignore

class Overlay {
  constructor() {
    this.path = [] // places of a path
    this.extras = [] // { places: Float32Array, mark }
    this.own = null // the place of a person's own image
    this.here = null // that of the point of Explore
    this.stamps = new Map() // of marks
    this.found = [] // rows to ring
  }

  // saved: whether it is for a file, which nobody's point is marked in.
  draw(context, camera, points, { accent, ink, ground, ratio, saved = false }) {
    for (const { places, mark } of this.extras) {
      this.#scatter(context, camera, places, { mark, colour: markColour(mark, { ink, accent }), ground, ratio })
    }
    drawLine(context, camera, this.path, { ink: accent, ground, width: 2.5 })
    this.#rings(context, camera, points, ink, ratio)
    this.#own(context, camera, { accent, ground })
    if (this.here && !saved) drawPin(context, camera.toScreen(...this.here), { accent, ground })
  }

  #scatter(context, camera, places, { mark, colour, ground, ratio }) {
    const size = EXTRA[Number(camera.width < SMALL)]
    const key = [mark, size, colour, ground, ratio].join()
    if (!this.stamps.has(key)) this.stamps.set(key, drawMark(mark, size, colour, ground, ratio))
    const stamp = this.stamps.get(key)
    const side = stamp.width / ratio
    for (let i = 0; i < places.length; i += 2) {
      const [x, y] = camera.toScreen(places[i], places[i + 1])
      if (x < -side || y < -side || x > camera.width + side || y > camera.height + side) continue
      context.drawImage(stamp, x - side / 2, y - side / 2, side, side)
    }
  }

  #own(context, camera, { accent, ground }) {
    if (!this.own) return
    const [x, y] = camera.toScreen(...this.own)
    for (const [style, wide] of [[ground, 6], [accent, 3]]) {
      Object.assign(context, { strokeStyle: style, lineWidth: wide })
      context.beginPath()
      context.arc(x, y, OWN, 0, 2 * Math.PI)
      context.stroke()
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

// Draw a pin whose point is at a place.
function drawPin(context, [x, y], { accent, ground }) {
  const [radius, height] = PIN
  const turn = Math.acos(radius / height) // from straight down to where the sides touch the head
  context.beginPath()
  context.moveTo(x, y)
  context.arc(x, y - height, radius, Math.PI / 2 + turn, Math.PI / 2 - turn)
  context.closePath()
  Object.assign(context, { fillStyle: accent, strokeStyle: ground, lineWidth: 3, lineJoin: "round" })
  context.stroke()
  context.fill()
  context.beginPath()
  context.arc(x, y - height, radius * 0.4, 0, 2 * Math.PI)
  context.fillStyle = ground
  context.fill()
}

// The colour of a kind of further points: none of those that classes have.
function markColour(mark, { ink, accent }) {
  return { square: ink, diamond: accent, triangle: "#d6336c" }[mark]
}

function drawMark(mark, size, colour, ground, ratio) {
  const side = size + 6
  const canvas = make("canvas", "", { width: side * ratio, height: side * ratio })
  const context = canvas.getContext("2d")
  context.scale(ratio, ratio)
  context.beginPath()
  for (const [x, y] of MARKS[mark]) context.lineTo(side / 2 + (x * size) / 2, side / 2 + (y * size) / 2)
  context.closePath()
  Object.assign(context, { strokeStyle: ground, fillStyle: colour, lineWidth: 2, lineJoin: "round" })
  context.stroke()
  context.fill()
  return canvas
}
