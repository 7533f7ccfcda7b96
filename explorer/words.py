"""What data sets call their classes and attributes, in the language of the reader."""

from explorer.text import N_, _

# All words of `models.datasets.DATASETS` but digits: who extracts strings for translators finds them here.
WORDS = (
    N_("skin"), N_("porcelain"), N_("peach"), N_("honey"), N_("caramel"), N_("chestnut"), N_("espresso"),
    N_("hair style"), N_("bald"), N_("crop"), N_("quiff"), N_("mohawk"), N_("bob"), N_("long"), N_("bun"),
    N_("afro"), N_("curls"), N_("hair colour"), N_("ink"), N_("brown"), N_("auburn"), N_("blond"),
    N_("silver"), N_("rose"), N_("teal"), N_("glasses"), N_("none"), N_("round"), N_("square"), N_("shades"),
    N_("beard"), N_("moustache"), N_("goatee"), N_("full"), N_("hat"), N_("beanie"), N_("cap"), N_("brim"),
    N_("outfit"), N_("tee"), N_("stripes"), N_("collar"), N_("roll neck"), N_("hoodie"), N_("shirt colour"),
    N_("coral"), N_("mustard"), N_("mint"), N_("ocean"), N_("navy"), N_("plum"), N_("cream"),
    N_("eye colour"), N_("hazel"), N_("blue"), N_("green"), N_("violet"), N_("freckles"), N_("earrings"),
    N_("gold"), N_("background"), N_("smile"), N_("mouth open"), N_("eye size"), N_("eyelids"), N_("gaze"),
    N_("brow angle"), N_("face width"), N_("jaw"), N_("blush"), N_("turn"), N_("tilt"), N_("T-shirt/top"),
    N_("Trouser"), N_("Pullover"), N_("Dress"), N_("Coat"), N_("Sandal"), N_("Shirt"), N_("Sneaker"),
    N_("Bag"), N_("Ankle boot"), N_("shape"), N_("ellipse"), N_("heart"), N_("scale"), N_("orientation"),
    N_("x"), N_("y"), N_("red digit"), N_("green digit"), N_("blue digit"), N_("airplane"), N_("automobile"),
    N_("bird"), N_("cat"), N_("deer"), N_("dog"), N_("frog"), N_("horse"), N_("ship"), N_("truck"),
)  # fmt: skip


def word(name: str) -> str:
    """Translate a class, an attribute or a value of one: "Sneaker", "hair_style", "glasses: round"."""
    return ": ".join(_(part) for part in name.replace("_", " ").split(": "))
