"""How reports look: one style sheet for light and dark screens, telephones and paper; colours of series.

The colours are Okabe and Ito's, told apart with every common kind of colour blindness; each series also has a
shape of its own, so that nothing is said by colour alone.
"""

from __future__ import annotations

#: Colours of the series, in order, on white: blue, vermilion, green, purple, grey, brown-yellow.
LIGHT = ("#0072B2", "#D55E00", "#009E73", "#B6598E", "#5A5A5A", "#9A6B00")
#: The same on black, from the lighter half of the palette.
DARK = ("#56B4E9", "#E69F00", "#2CC295", "#E29AC3", "#B9B9B9", "#F0E442")
#: Shapes of the series, in order: SVG paths around (0, 0), about 10 wide.
SHAPES = (
    "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0",
    "M-4.5 -4.5h9v9h-9z",
    "M0 -6L6 0L0 6L-6 0z",
    "M0 -5.5L5.5 4.5H-5.5z",
    "M0 5.5L5.5 -4.5H-5.5z",
    "M-6 -1.7h4.3v-4.3h3.4v4.3h4.3v3.4h-4.3v4.3h-3.4v-4.3h-4.3z",
)


def _series(colours: tuple[str, ...]) -> str:
    return "".join(f"--s{i}:{colour};" for i, colour in enumerate(colours))


_LIGHT_THEME = (
    "--ground:#ffffff;--panel:#f5f6f8;--ink:#1b1d22;--soft:#555b66;--line:#d3d7de;--good:#00694c;"
    f"--bad:#a03c00;--link:#005a8f;{_series(LIGHT)}"
)
_DARK_THEME = (
    "--ground:#15171b;--panel:#1f2228;--ink:#eceef2;--soft:#a9b0bc;--line:#3a3f49;--good:#5fd6b0;"
    f"--bad:#ff9d5c;--link:#7cc4f2;{_series(DARK)}"
)

STYLE_SHEET = (
    f":root{{color-scheme:light dark;{_LIGHT_THEME}}}\n"
    f"@media screen and (prefers-color-scheme:dark){{:root{{{_DARK_THEME}}}}}\n"
    + """*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);line-height:1.55;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans","DejaVu Sans",sans-serif}
main{max-width:54rem;margin:0 auto;padding:1.25rem 1rem 3rem;overflow-wrap:break-word}
h1{font-size:1.65rem;line-height:1.25;margin:.4rem 0 .6rem;text-wrap:balance}
h2{font-size:1.25rem;line-height:1.3;margin:2.4rem 0 .6rem;padding-top:.7rem;border-top:1px solid var(--line)}
h3{font-size:1.03rem;margin:1.6rem 0 .4rem}
p,ul,ol,dl{margin:.6rem 0}
ul,ol{padding-left:1.3rem}
li{margin:.25rem 0}
a{color:var(--link)}
code{font-family:ui-monospace,"Liberation Mono","DejaVu Sans Mono",monospace;font-size:.88em;
overflow-wrap:anywhere}
.lead{font-size:1.12rem;line-height:1.5;margin:.8rem 0 1rem}
.soft,figcaption{color:var(--soft);font-size:.9rem}
.good{color:var(--good);font-weight:600}
.bad{color:var(--bad);font-weight:600}
.box{background:var(--panel);border-left:4px solid var(--s0);border-radius:.3rem;
padding:.7rem .9rem;margin:1rem 0}
.box>:first-child{margin-top:0}.box>:last-child{margin-bottom:0}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.6rem,1fr));gap:.6rem;padding:0;list-style:none}
.facts li{background:var(--panel);border-radius:.4rem;padding:.6rem .8rem;margin:0}
.facts b{display:block;font-size:1.4rem;line-height:1.2}
.scroll{overflow-x:auto;margin:.8rem 0;
background:linear-gradient(90deg,var(--ground) 30%,transparent) left/2.5rem 100% no-repeat local,
linear-gradient(270deg,var(--ground) 30%,transparent) right/2.5rem 100% no-repeat local,
linear-gradient(90deg,var(--line),transparent) left/.9rem 100% no-repeat scroll,
linear-gradient(270deg,var(--line),transparent) right/.9rem 100% no-repeat scroll}
figure>.scroll{margin:0}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.38rem .6rem .38rem 0;border-bottom:1px solid var(--line)}
th{font-weight:600}
thead th{border-bottom:2px solid var(--line);vertical-align:bottom}
.right{text-align:right}
td.right,th.right{padding-left:.6rem;padding-right:0}
td.right{white-space:nowrap}
.right+:not(.right){padding-left:1.1rem}
figure{margin:1rem 0}
figure.chart{max-width:46rem}
figcaption{margin-bottom:.5rem}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;margin:.3rem 0 .6rem;
padding:0;font-size:.9rem}
.legend li{display:flex;align-items:center;gap:.4rem;margin:0}
.legend svg{width:1.5rem;height:1rem;flex:none;overflow:visible}
.rows{display:grid;gap:.15rem 1rem}
.row{display:grid;grid-template-columns:minmax(0,1fr);padding:.3rem 0}
.row .label{font-size:.92rem;line-height:1.3}
.row .label small{color:var(--soft);display:block}
.row .strip{padding:0 .8rem}
.strip svg{display:block;width:100%;overflow:visible}
@media (min-width:40rem),print{
.row{grid-template-columns:13rem minmax(0,1fr);align-items:center;column-gap:1rem}}
svg text{fill:var(--soft);font-size:12px;font-family:inherit}
svg .name{fill:var(--ink)}
svg .ring{paint-order:stroke;stroke:var(--ground);stroke-width:4px;stroke-linejoin:round}
td small{color:var(--soft);display:block}
svg .grid{stroke:var(--line);stroke-width:1;fill:none}
svg .chance{stroke:var(--soft);stroke-width:2;stroke-dasharray:4 3;fill:none}
svg .zero{stroke:var(--soft);stroke-width:1.5}
svg .area{fill-opacity:.1}
svg .hollow{fill:var(--ground)}
svg .whisker{stroke-width:2.5;fill:none;stroke-linecap:round}
svg .outline{stroke-width:2;fill-opacity:.1}
"""
    + "".join(
        f"svg .s{i}{{fill:var(--s{i});stroke:var(--s{i})}}svg .s{i}.whisker{{fill:none}}"
        f"svg .s{i}.hollow{{fill:var(--ground);stroke-width:2}}\n"
        for i in range(len(LIGHT))
    )
    + """.radar svg{display:block;width:100%;max-width:34rem;margin:0 auto;overflow:visible}
details{border:1px solid var(--line);border-radius:.4rem;padding:.5rem .8rem;margin:.6rem 0}
summary{cursor:pointer;font-weight:600}
blockquote{margin:.5rem 0;padding:.1rem .9rem;border-left:3px solid var(--line);color:var(--soft)}
blockquote p{margin:.15rem 0}
dl.pairs{display:grid;grid-template-columns:minmax(0,1fr);gap:0 1rem}
dl.pairs dt{font-weight:600}
dl.pairs dd{margin:0 0 .4rem}
@media (min-width:40rem),print{dl.pairs{grid-template-columns:11rem minmax(0,1fr)}}
@media print{main{max-width:none;padding:0}body{font-size:10.5pt}h2{break-after:avoid}
.radar,tr,.row,.box,.facts li{break-inside:avoid}.scroll{overflow:visible}
details{border:0;padding:0}details::details-content{content-visibility:visible;block-size:auto}
a{color:inherit;text-decoration:none}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""
)
