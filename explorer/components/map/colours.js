// Colours of points.

// Ten colours made to be told apart by people with deficient colour vision as well as others (Petroff 2021, "Accessible
// color sequences for data visualization", arXiv:2107.02270), and two of Okabe and Ito's for more classes than that.
const DISTINCT = [
  "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
  "#009e73", "#cc79a7",
] // prettier-ignore
// Nodes of viridis (Smith & van der Walt 2015, CC0): even steps of lightness, also without colours.
const VIRIDIS = [
  "#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725",
] // prettier-ignore
const RAMP = 64 // colours of a scale of values
const UNKNOWN = [140, 140, 140]

function parseColour(text) {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/i.exec(text)
  if (hex) return hex.slice(1).map(pair => parseInt(pair, 16))
  const numbers = text.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255]
  return numbers.slice(0, 3).map(value => (text.startsWith("color(") ? 255 * value : value))
}

function lightness([red, green, blue]) {
  return (0.299 * red + 0.587 * green + 0.114 * blue) / 255
}

function mixed(one, other, share) {
  return one.map((value, i) => Math.round(value + share * (other[i] - value)))
}

function toCss(colour) {
  return `rgb(${colour.join(" ")})`
}

// Return a colour that stands out from the ground: dark ones on a dark ground become lighter, and so on.
function outstanding(colour, ground) {
  const dark = lightness(ground) < 0.5
  const apart = Math.abs(lightness(colour) - lightness(ground))
  return mixed(colour, dark ? [255, 255, 255] : [0, 0, 0], clamp(0.42 - apart, 0, 0.3))
}

// own: the colours that the codes name, or nothing.
function distinctColours(count, ground, own) {
  const all = (own?.length ? own : DISTINCT.map(parseColour)).map(colour => outstanding(colour, ground))
  return Array.from({ length: count }, (_, i) => all[i % all.length])
}

// Return RAMP colours from low to high; the end that the ground swallows is left out.
function rampColours(ground) {
  const nodes = VIRIDIS.map(parseColour)
  const [from, to] = lightness(ground) < 0.5 ? [0.16, 1] : [0, 0.92]
  return Array.from({ length: RAMP }, (_, i) => {
    const at = (from + ((to - from) * i) / (RAMP - 1)) * (nodes.length - 1)
    const node = Math.min(Math.floor(at), nodes.length - 2)
    return mixed(nodes[node], nodes[node + 1], at - node)
  })
}
