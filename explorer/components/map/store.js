// What the server has of a map, fetched piece by piece when it is looked at. The browser keeps what it fetched
// for ever: an address names the map by its content.
const IN_FLIGHT = 2 // requests for pieces of a kind at a time; what was wanted before they are done is forgotten
const LATENT_BLOCKS = 512 // kept
const AHEAD = 64 // blocks that are fetched before they are looked at; of larger maps none are
const SHEETS = 48
const SHEET_POINTS = 64
const SHEET_COLUMNS = 8

// Pieces of one kind by number, the most recently used ones kept.
class Pieces {
  // load(n): a promise of piece n; on(n): called when one that is wanted last is there.
  constructor(load, keep, on) {
    Object.assign(this, { load, keep, on })
    this.kept = new Map()
    this.loading = new Set()
    this.failed = new Map() // when it is worth another try
    this.asked = [] // the last that were wanted
    this.wanted = [] // of these, what is to be fetched
    this.later = []
  }

  get(n) {
    const piece = this.kept.get(n)
    if (piece) {
      this.kept.delete(n)
      this.kept.set(n, piece)
    }
    return piece
  }

  // Fetch what is missing of some pieces; what was wanted before is not wanted any more.
  want(numbers) {
    this.asked = numbers
    this.wanted = numbers.filter(n => !this.kept.has(n) && !this.loading.has(n) && !this.#hopeless(n))
    this.#next()
  }

  // Fetch some while nothing else is wanted, one at a time.
  prepare(numbers) {
    this.later = numbers
    this.#next()
  }

  #hopeless(n) {
    return (this.failed.get(n) ?? 0) > performance.now()
  }

  #next() {
    while (this.wanted.length && this.loading.size < IN_FLIGHT) this.#fetch(this.wanted.shift())
    if (this.loading.size) return
    this.later = this.later.filter(n => !this.kept.has(n))
    if (this.later.length) this.#fetch(this.later.shift())
  }

  async #fetch(n) {
    this.loading.add(n)
    try {
      this.kept.set(n, await this.load(n))
      if (this.kept.size > this.keep) this.kept.delete(this.kept.keys().next().value)
    } catch {
      this.failed.set(n, performance.now() + 2000)
    }
    this.loading.delete(n)
    this.#next()
    if (this.kept.has(n) && this.asked.includes(n)) this.on(n)
  }
}

class Store {
  // address: of the map on this server; on: { latents(block), pictures(sheet) } when some have come.
  constructor({ address, count, dim, pictures, shape }, on) {
    Object.assign(this, { address, count, dim, pictures, shape })
    this.columns = new Map()
    this.latents = new Pieces(n => this.#numbers(`latents/${n}`, Uint16Array), LATENT_BLOCKS, on.latents)
    this.sheets = new Pieces(n => this.#image(`pictures/${pictures}/${n}.png`), SHEETS, on.pictures)
  }

  async #fetch(path) {
    const answer = await fetch(`${this.address}/${path}`, { credentials: "same-origin" })
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
    return answer
  }

  async #numbers(path, kind) {
    return new kind(await (await this.#fetch(path)).arrayBuffer())
  }

  async #image(path) {
    return createImageBitmap(await (await this.#fetch(path)).blob())
  }

  async points() {
    return new Points(await (await this.#fetch("points")).arrayBuffer(), this.count)
  }

  // Fetch what each move of the pointer needs before it does: a click then need not wait for it.
  prepare() {
    const blocks = Math.ceil(this.count / BLOCK)
    if (blocks <= AHEAD) this.latents.prepare([...Array(blocks).keys()])
  }

  close() {
    this.latents.prepare([])
  }

  // Codes of a category (int16) or values (float32) of all rows; a promise.
  column(kind, n) {
    const path = `${kind}/${n}`
    if (!this.columns.has(path)) {
      const asked = this.#numbers(path, kind === "values" ? Float32Array : Int16Array)
      asked.catch(() => this.columns.delete(path)) // another try may do better
      this.columns.set(path, asked)
    }
    return this.columns.get(path)
  }

  // Return the latent between some rows, or null until theirs are here: { z, agreement }, float32 (D,) and in [0, 1].
  //
  // Their weighted mean is nearer to the origin than any of them, where few pictures of the model are: it is made as
  // long as they are on average. By how much tells how far they agree. As `models.embedding.place.inverse` does.
  blend(rows, weights) {
    const blocks = [...new Set(rows.map(row => Math.floor(row / BLOCK)))]
    this.latents.want(blocks)
    const mean = new Float32Array(this.dim)
    let lengths = 0
    for (const [i, row] of rows.entries()) {
      const block = this.latents.get(Math.floor(row / BLOCK))
      if (!block) return null
      const from = (row % BLOCK) * this.dim
      let square = 0
      for (let d = 0; d < this.dim; d++) {
        const value = fromHalf(block[from + d])
        mean[d] += weights[i] * value
        square += value * value
      }
      lengths += weights[i] * Math.sqrt(square)
    }
    const agreement = Math.hypot(...mean) / Math.max(lengths, 1e-12)
    return { z: mean.map(value => value / Math.max(agreement, 1e-6)), agreement: Math.min(1, agreement) }
  }

  // Draw a row's picture; tell whether it is here.
  draw(row, context) {
    const sheet = Math.floor(row / SHEET_POINTS)
    const image = this.sheets.get(sheet)
    this.sheets.want([sheet])
    if (!image) return false
    const [height, width] = this.shape
    const at = row % SHEET_POINTS
    const [x, y] = [(at % SHEET_COLUMNS) * width, Math.floor(at / SHEET_COLUMNS) * height]
    context.drawImage(image, x, y, width, height, 0, 0, width, height)
    return true
  }
}

// Return the number that 16 bits are in half precision (IEEE 754).
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction ? NaN : sign * Infinity
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024)
}
