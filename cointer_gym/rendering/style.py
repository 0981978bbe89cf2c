"""Colours and type sizes of the figure."""

# Okabe and Ito's palette, safe for colour-blind readers
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)

# blue is the device and going on, vermilion the edge server
DEVICE, DEVICE_PALE, DEVICE_SOFT, DEVICE_TINT = BLUE, "#B5D4E9", "#E3EEF6", "#F1F6FA"
EDGE, EDGE_PALE, EDGE_SOFT, EDGE_TINT = VERMILION, "#F2C4A2", "#FBE8DB", "#FDF4EE"
INK, MUTED, FAINT = "#222222", "#6E6E6E", "#BDBDBD"

TITLE_SIZE, VALUE_SIZE, LABEL_SIZE, SMALL_SIZE = 12.0, 10.0, 8.0, 7.0  # points
