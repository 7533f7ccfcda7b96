// What lies under the pointer, or in the middle for the keyboard: a point, or a place between points.
//
// A point shows its own picture and what its latent decodes to. A place has no latent of its own: it gets the mean of
// those of the nearest points, each weighted by how near it is, and says how far they are.
const HIT = 9 // CSS pixels from a point that still mean it
const NEAR = 8 // points that a place between them is made of
const TRUSTED = 4 // usual distances to the nearest point at which a place is half as reliable as a point

class Probe {
  // map: { points, store, camera, lens, data, live, nameOf(row), labelOf(row) }
  constructor(map) {
    this.map = map
    this.target = null
  }

  // Look at a place of the window, in CSS pixels.
  look(left, top) {
    const { points, camera, lens } = this.map
    const [x, y] = camera.toPlace(left, top)
    const [hit] = points.nearest(x, y, 1, HIT / camera.k)
    const near = hit ? [hit] : points.nearest(x, y, NEAR)
    const before = this.target
    if (!near.length) {
      this.hide()
      return
    }
    this.target = hit ? { row: hit.row, rows: [hit.row], weights: [1] } : { row: -1, ...blended(near) }
    if (!hit || before?.row !== hit.row) this.#show(near[0].far / points.usual)
    lens.stand(left, top, camera.width, camera.height)
  }

  hide() {
    this.target = null
    this.map.lens.hide()
  }

  // Return what is to be said of the target to Python, null without one.
  get choice() {
    if (!this.target) return null
    const { order } = this.map.points
    const { row, rows, weights } = this.target
    return row >= 0 ? { index: order[row] } : { near: rows.map(one => order[one]), weights }
  }

  #show(far) {
    const { map, target } = this
    const { lens, data, points } = map
    const { texts } = data
    if (target.row >= 0) {
      const own = data.pictures === "images" && points.sources[target.row] !== GENERATED
      const decoded = points.sources[target.row] === GENERATED ? texts.sample : texts.decoded
      const second = own && !map.live ? "" : decoded
      lens.describe({ first: own ? texts.image : "", second, ...map.nameOf(target.row) })
      lens.node.dataset.index = points.order[target.row]
      lens.clear(lens.first)
      lens.clear(lens.second)
      lens.node.dataset.own = own
    } else {
      const reliability = 1 / (1 + (far / TRUSTED) ** 2)
      const title = texts.places[reliability > 0.6 ? 0 : reliability > 0.2 ? 1 : 2]
      const words = fill(texts.far, { times: far < 10 ? far.toFixed(1) : Math.round(far) })
      lens.describe({ first: "", second: texts.between, title, words, reliability })
      delete lens.node.dataset.index
      lens.node.dataset.own = "false"
    }
    this.draw()
    this.decode()
  }

  // Draw the target's picture, once the sheet with it is there.
  draw() {
    const { map, target } = this
    if (!target || target.row < 0) return
    const { lens, store, points } = map
    const own = lens.node.dataset.own === "true"
    if (!own && map.live) return // without an image the sheet holds what the socket decodes sooner
    const shot = own ? lens.first : lens.second
    if (store.draw(target.row, shot.context)) shot.canvas.dataset.of = points.order[target.row]
  }

  // Ask for what the target's latent decodes to, once that is there.
  decode() {
    const { map, target } = this
    if (!target) return
    const z = map.store.blend(target.rows, target.weights)
    if (z && map.live) map.stream.send({ z, label: map.labelOf(target.rows[0]), tag: target })
  }

  // Take what was decoded; between points the picture of a moment ago does until the next one comes.
  receive({ pixels, shape, tag }) {
    const { lens, points } = this.map
    if (!this.target || (tag.row >= 0 ? tag.row !== this.target.row : this.target.row >= 0)) return
    lens.second.context.putImageData(toImageData(pixels, shape), 0, 0)
    lens.second.canvas.dataset.of = tag.row >= 0 ? points.order[tag.row] : "between"
  }
}

function blended(near) {
  const nearness = near.map(({ far }) => 1 / Math.max(far, 1e-9))
  const sum = nearness.reduce((total, one) => total + one, 0)
  return { rows: near.map(({ row }) => row), weights: nearness.map(one => one / sum) }
}
