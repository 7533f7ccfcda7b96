// What stands out on a map: the line of a lasso, the lines around selections, their letters, and the point that is
// under the pointer on another map of the page.
const LETTER = 9 // CSS pixels of a letter's radius
const SAME_RING = 9 // and of the ring around a point that is looked at elsewhere
// A selection is the colour of the ink, or one that no class has; it marks its points where it has no line.
const LETTER_COLOURS = { A: null, B: "#d3127e" }

class Marks {
  constructor() {
    this.forget()
  }

  forget() {
    this.drawn = [] // places of the lasso that is being drawn
    this.lines = {} // places of the lines around selections, by letter
    this.badges = [] // [letter, place] of selections that are marked without a line
    this.same = -1 // row of the point that is looked at elsewhere
  }

  // Forget the line of a selection that is gone, or was drawn on another map since.
  // before, now: the map's key that each letter's selection was drawn on.
  keep(before, now, key) {
    for (const letter of Object.keys(this.lines)) {
      const gone = now[letter] !== key
      if (gone && (!before || before[letter] === key)) delete this.lines[letter]
    }
  }

  draw(context, camera, points, look) {
    const { ink, ground, accent } = look
    for (const [letter, places] of Object.entries(this.lines)) {
      drawLine(context, camera, places, { ink: letterColour(letter, look), ground, width: 1.5, closed: true })
    }
    drawLine(context, camera, this.drawn, { ink, ground, width: 1.5, closed: true })
    if (this.same < 0 || points.paint[this.same] === HIDDEN) return
    const [x, y] = camera.toScreen(points.places[2 * this.same], points.places[2 * this.same + 1])
    context.beginPath()
    context.arc(x, y, SAME_RING, 0, 2 * Math.PI)
    stroke(context, { ink: accent, ground, width: 2.5 })
  }

  // Draw the letters: over all else, and on a line where that is highest.
  drawLetters(context, camera, look) {
    const highest = places => places.reduce((best, place) => (place[1] > best[1] ? place : best))
    const lines = Object.entries(this.lines).map(([letter, places]) => [letter, highest(places)])
    for (const [letter, place] of [...lines, ...this.badges]) {
      drawLetter(context, camera.toScreen(...place), letter, letterColour(letter, look), look)
    }
  }
}

function letterColour(letter, { ink, ground }) {
  const own = LETTER_COLOURS[letter]
  return own ? toCss(outstanding(parseColour(own), parseColour(ground))) : ink
}

function drawLetter(context, [x, y], letter, colour, { ground, font }) {
  context.beginPath()
  context.arc(x, y, LETTER, 0, 2 * Math.PI)
  context.fillStyle = colour
  context.fill()
  Object.assign(context, { strokeStyle: ground, lineWidth: 1.5 })
  context.stroke()
  Object.assign(context, { font: font.replace(/\d+px/, "12px"), textAlign: "center", textBaseline: "middle" })
  context.fillStyle = ground
  context.fillText(letter, x, y + 0.5)
}
