// What lies under the pointer, or in the middle for the keyboard: a point, or a place between points.
//
// A point shows its own picture and what its latent decodes to. A place has no latent of its own: it gets one between
// those of the nearest points, by the inverse of their squared distance, and says how reliable that is: how dense the
// map is there, times how far the latents around agree. All of it as in `models.embedding.place`.
const HIT = 9 // CSS pixels from a point that still mean it
const NEAR = 8 // points that a place between them is made of
const RELIABLE = [0.5, 0.1] // from which on a place is near to points, or at least not far

class Probe {
  // map: { points, layers, store, camera, lens, data, live, stream, nameOf(row), labelOf(row), pointAt(row) }
  constructor(map) {
    this.map = map
    this.target = null
  }

  // Look at a place of the window, in CSS pixels.
  look(left, top) {
    const { points, layers, camera, lens } = this.map
    const [x, y] = camera.toPlace(left, top)
    const above = layers.at(x, y, HIT / camera.k)
    if (above) {
      this.#showAbove(above)
      lens.stand(left, top, camera.width, camera.height)
      this.map.pointAt(-1)
      return
    }
    const [hit] = points.nearest(x, y, 1, { within: HIT / camera.k })
    const near = hit ? [hit] : points.nearest(x, y, NEAR, { known: true })
    const before = this.target
    if (!near.length) {
      this.hide()
      return
    }
    const met = hit ? { row: hit.row, rows: [hit.row], weights: [1] } : { row: -1, ...between(near) }
    this.target = { points, place: [x, y], ...met }
    if (hit) {
      if (before?.row !== hit.row) this.#showPoint()
    } else {
      this.#showPlace()
    }
    lens.stand(left, top, camera.width, camera.height)
    this.map.pointAt(this.target.row)
  }

  hide() {
    this.target = null
    this.map.lens.hide()
    this.map.pointAt(-1)
  }

  // Return what is to be said of the target to Python, null without one.
  get choice() {
    if (!this.target) return null
    if (this.target.above) return this.map.layers.choice(this.target.above)
    const { order } = this.map.points
    const { row, rows, weights, place } = this.target
    return row >= 0 ? { index: order[row] } : { near: rows.map(one => order[one]), weights, place }
  }

  // Whether what is looked at has a picture of its own, and is not a place between points.
  get hit() {
    return Boolean(this.target && (this.target.above || this.target.row >= 0))
  }

  // What lies over the points has its picture already: nothing is decoded for it.
  #showAbove(above) {
    const { lens, layers } = this.map
    const { id, ...said } = layers.describe(above)
    if (this.target?.id === id) return
    this.target = { above, id, row: -1, rows: [], weights: [] }
    lens.describe(said)
    delete lens.node.dataset.index
    lens.node.dataset.above = id
    lens.clear(lens.first)
    lens.clear(lens.second)
    this.draw()
  }

  #showPoint() {
    const { lens, data, points, live } = this.map
    const { texts } = data
    const { row } = this.target
    const own = data.pictures === "images" && points.sources[row] !== GENERATED
    const decoded = points.sources[row] === GENERATED ? texts.sample : texts.decoded
    const second = points.known[row] && (live || !own) ? decoded : ""
    lens.describe({ first: own ? texts.image : "", second, ...this.map.nameOf(row) })
    delete lens.node.dataset.above
    lens.node.dataset.index = points.order[row]
    lens.node.dataset.own = own
    lens.clear(lens.first)
    lens.clear(lens.second)
    this.draw()
    this.decode()
  }

  #showPlace() {
    const { lens } = this.map
    delete lens.node.dataset.index
    delete lens.node.dataset.above
    lens.node.dataset.own = "false"
    this.decode()
  }

  // Say how reliable a place is, by how far points are, in the usual distances, and as soon as it is known by how far
  // their latents agree.
  #judge(agreement) {
    const { lens, data, points } = this.map
    const { texts } = data
    const far = this.target.far / points.usual(NEAR)
    const reliability = agreement / Math.max(far, 1) ** 2
    const title = texts.places[RELIABLE.filter(least => reliability < least).length]
    const times = far < 10 ? far.toFixed(1) : String(Math.round(far))
    const words = fill(texts.far, { times, share: `${Math.round(100 * agreement)} %` })
    lens.describe({ first: "", second: texts.between, title, words, reliability })
  }

  // Draw the target's picture, once the sheet with it is there.
  draw() {
    const { map, target } = this
    if (target?.above) {
      const shots = [map.lens.first, map.lens.second]
      const drawn = map.layers.draw(target.above, ...shots.map(({ context }) => context))
      drawn.forEach((here, i) => here && (shots[i].canvas.dataset.of = target.id))
      return
    }
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
    if (!target || target.above || !map.points.known[target.rows[0]]) return
    const found = map.store.blend(target.rows, target.weights)
    if (target.row < 0) this.#judge(found?.agreement ?? 1)
    if (found && map.live) map.stream.send({ z: found.z, label: map.labelOf(target.rows[0]), tag: target })
  }

  // Take what was decoded; between points the picture of a moment ago does until the next one comes.
  receive({ pixels, shape, tag }) {
    const { lens, points } = this.map
    if (!this.target || this.target.above || tag.points !== points) return // of another map, or of none
    if (tag.row >= 0 ? tag.row !== this.target.row : this.target.row >= 0) return
    lens.second.context.putImageData(toImageData(pixels, shape), 0, 0)
    lens.second.canvas.dataset.of = tag.row >= 0 ? points.order[tag.row] : "between"
  }
}

function between(near) {
  const mean = near.reduce((sum, { far }) => sum + far, 0) / near.length
  const squares = near.reduce((sum, { far }) => sum + far * far, 0) / near.length
  const nearness = near.map(({ far }) => 1 / Math.max(far * far, 1e-6 * squares + 1e-24))
  const sum = nearness.reduce((total, one) => total + one, 0)
  return { rows: near.map(({ row }) => row), weights: nearness.map(one => one / sum), far: mean }
}
