// Names of classes where most of their points are. Drawn once each, and then copied: text is slow to draw.
const NAMED = 40 // classes, at most: more names than that nobody reads
const LABEL_ROOM = 3 // CSS pixels between two labels
const LABEL_STEPS = [0, -18, 18, -36, 36] // CSS pixels that a label may move by, to be read
const MEDIAN_OF = 2000 // points of a class that tell where it is

class Labels {
  constructor() {
    this.all = []
  }

  // names: of the codes; codeOf(row): which a row has, -1: none; points: the map's.
  place(points, names, codeOf, { font, ink, ground, ratio }) {
    this.placed = [points, names, codeOf, { font, ink, ground }]
    this.all = []
    if (names.length < 2 || names.length > NAMED) return
    const rows = names.map(() => [])
    for (let row = 0; row < points.count; row++) {
      if (points.paint[row] !== HIDDEN && codeOf(row) >= 0) rows[codeOf(row)].push(row)
    }
    const key = JSON.stringify([font, ink, ground, ratio])
    if (key !== this.key) [this.key, this.drawn] = [key, new Map()]
    names.forEach((name, code) => {
      if (!rows[code].length) return
      if (!this.drawn.has(name)) this.drawn.set(name, drawName(name, font, ink, ground, ratio))
      const [x, y] = middle(points.places, rows[code])
      this.all.push({ ...this.drawn.get(name), name, x, y, size: rows[code].length })
    })
    this.all.sort((a, b) => b.size - a.size)
  }

  // Return the same labels at another number of device pixels for each CSS pixel.
  at(ratio) {
    const [points, names, codeOf, look] = this.placed
    const labels = new Labels()
    labels.place(points, names, codeOf, { ...look, ratio })
    return labels
  }

  // Draw the labels that are in view, the largest classes first; those without room are left out.
  draw(context, camera) {
    const taken = []
    const shown = []
    for (const label of this.all) {
      const [x, y] = camera.toScreen(label.x, label.y)
      if (x < 0 || y < 0 || x > camera.width || y > camera.height) continue
      const left = clamp(x - label.width / 2, 0, camera.width - label.width)
      const free = LABEL_STEPS.map(step => clamp(y + step - label.height / 2, 0, camera.height - label.height)).find(
        top => !taken.some(box => overlap(box, [left, top, left + label.width, top + label.height])),
      )
      if (free === undefined) continue
      taken.push([left, free, left + label.width, free + label.height])
      context.drawImage(label.canvas, left, free, label.width, label.height)
      shown.push(label.name)
    }
    return shown
  }
}

function overlap([left, top, right, bottom], [l, t, r, b]) {
  const room = LABEL_ROOM
  return l < right + room && r > left - room && t < bottom + room && b > top - room
}

// Return the place of the point that is nearest to the median of some: always where there is one.
function middle(places, rows) {
  const step = Math.max(1, Math.floor(rows.length / MEDIAN_OF))
  const some = rows.filter((_, i) => i % step === 0)
  const median = axis => some.map(row => places[2 * row + axis]).sort((a, b) => a - b)[some.length >> 1]
  const [x, y] = [median(0), median(1)]
  const far = row => Math.hypot(places[2 * row] - x, places[2 * row + 1] - y)
  const best = some.reduce((least, row) => (far(row) < far(least) ? row : least))
  return [places[2 * best], places[2 * best + 1]]
}

function drawName(name, font, ink, ground, ratio) {
  const canvas = make("canvas")
  const context = canvas.getContext("2d")
  context.font = font
  const width = Math.ceil(context.measureText(name).width) + 10
  const height = 22
  Object.assign(canvas, { width: width * ratio, height: height * ratio })
  context.scale(ratio, ratio)
  Object.assign(context, { font, textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 4.5 })
  context.strokeStyle = ground
  context.fillStyle = ink
  context.globalAlpha = 0.9
  context.strokeText(name, width / 2, height / 2)
  context.globalAlpha = 1
  context.fillText(name, width / 2, height / 2)
  return { canvas, width, height }
}
