"""The look of the report: the app's colours in both themes, on paper the light one. Nothing is fetched."""

from typing import Final

_LIGHT: Final = (
    "--bg:#F7F9FB;--surface:#FFFFFF;--text:#131A22;--muted:#4A5869;--border:#D5DDE6;--grid:#E6EBF1;--accent:#1D5FD1;"
    "--gain:#0B7468;--loss:#B4440F;--warn:#855C00;--other:#9B6A08;"
)
_DARK: Final = (
    "--bg:#0B0F14;--surface:#121821;--text:#E6EBF2;--muted:#9AA7B8;--border:#2A3543;--grid:#1E2733;--accent:#6CA8FF;"
    "--gain:#3FB6A8;--loss:#F28B5B;--warn:#E5B94B;--other:#C49C64;"
)

STYLE: Final = (
    """
body.tm { margin: 0; }
.tm { LIGHT color-scheme: light dark; background: var(--bg); color: var(--text); font: 13px/20px 'Inter Variable',
  Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif;
  font-variant-numeric: tabular-nums;
  -webkit-text-size-adjust: 100%; }
@media (prefers-color-scheme: dark) { .tm { DARK } }
.tm * { box-sizing: border-box; }
.tm main { max-width: 1120px; margin: 0 auto; padding: 32px 24px 48px; display: grid; gap: 24px; }
.tm main > * { min-width: 0; }
.tm h1 { font-size: 24px; line-height: 32px; font-weight: 650; letter-spacing: -.01em; margin: 0;
  overflow-wrap: anywhere; }
.tm h2 { font-size: 16px; line-height: 24px; font-weight: 600; margin: 0 0 12px; }
.tm h3 { font-size: 13px; line-height: 20px; font-weight: 600; margin: 0 0 4px; }
.tm p { margin: 0; }
.tm .sub { color: var(--muted); margin-top: 4px; overflow-wrap: anywhere; }
.tm .badge { display: inline-block; font-size: 11px; line-height: 16px; font-weight: 600; letter-spacing: .04em;
  padding: 2px 8px; border: 1px solid var(--warn); color: var(--warn); border-radius: 6px; margin-bottom: 8px; }
.tm .card { background: var(--surface); border: 1px solid var(--border); border-radius: 8px; padding: 16px; }
.tm .tiles { display: grid; grid-template-columns: repeat(6, 1fr); gap: 0; padding: 0; overflow: hidden; }
.tm .tile { padding: 16px; border-left: 1px solid var(--border); min-width: 0; }
.tm .tile:first-child { border-left: 0; }
.tm .tile dt { color: var(--muted); font-size: 12px; line-height: 16px; }
.tm .tile dd { margin: 4px 0 0; font-size: 22px; line-height: 28px; font-weight: 600; letter-spacing: -.01em; }
.tm dl { margin: 0; }
.tm .up { color: var(--gain); } .tm .down { color: var(--loss); }
.tm .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 24px; align-items: start; }
.tm .stack { display: grid; gap: 24px; }
.tm .trio { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 24px; align-items: start; }
.tm .cards { columns: 3; column-gap: 24px; }
.tm .cards > .card { break-inside: avoid; margin-bottom: 24px; }
.tm .cards > .card:last-child { margin-bottom: 0; }
.tm table { border-collapse: collapse; width: 100%; }
.tm th, .tm td { text-align: right; font-weight: 400; padding: 4px 0 4px 12px; vertical-align: top; }
.tm th:first-child, .tm td:first-child { text-align: left; padding-left: 0; }
.tm tbody tr + tr > * { border-top: 1px solid var(--grid); }
.tm thead th { color: var(--muted); font-size: 12px; line-height: 16px; border-bottom: 1px solid var(--border); }
.tm tbody th { color: var(--muted); } .tm td { white-space: nowrap; }
.tm td.words { white-space: normal; text-align: left; overflow-wrap: anywhere; }
.tm .why { display: block; font-size: 11px; line-height: 16px; }
.tm .scroll { overflow-x: auto; }
.tm .months td, .tm .months th { text-align: right; padding: 5px 6px; font-size: 12px; line-height: 16px; }
.tm .months tbody th { text-align: left; padding-left: 0; }
.tm .months td.total { font-weight: 600; border-left: 1px solid var(--border); }
.tm .g1 { background: color-mix(in srgb, var(--gain) 8%, transparent); }
.tm .g2 { background: color-mix(in srgb, var(--gain) 20%, transparent); }
.tm .g3 { background: color-mix(in srgb, var(--gain) 34%, transparent); }
.tm .l1 { background: color-mix(in srgb, var(--loss) 8%, transparent); }
.tm .l2 { background: color-mix(in srgb, var(--loss) 20%, transparent); }
.tm .l3 { background: color-mix(in srgb, var(--loss) 34%, transparent); }
.tm figure { margin: 0; }
.tm figcaption, .tm .hint { color: var(--muted); font-size: 11px; line-height: 16px; margin-top: 8px; }
.tm .legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 12px; line-height: 16px; color: var(--muted);
  margin-bottom: 16px; align-items: center; }
.tm .legend svg { width: 20px; height: 8px; margin-right: 6px; vertical-align: middle; }
.tm .plot { display: grid; grid-template-columns: auto 1fr; column-gap: 8px; }
.tm .plot > svg { width: 100%; height: 100%; min-height: 0; display: block; }
.tm .tall { grid-template-rows: 300px auto; } .tm .low { grid-template-rows: 160px auto; }
.tm .middle { grid-template-rows: 220px auto; }
.tm .y { display: flex; flex-direction: column; justify-content: space-between; text-align: right; margin: -8px 0; }
.tm .y, .tm .x { font-size: 11px; line-height: 16px; color: var(--muted); white-space: nowrap; }
.tm .x { display: flex; justify-content: space-between; margin-top: 8px; grid-column: 2; }
.tm svg path, .tm svg line { vector-effect: non-scaling-stroke; fill: none; }
.tm .grid { stroke: var(--grid); stroke-width: 1; } .tm .zero { stroke: var(--muted); stroke-width: 1; }
.tm .own { stroke: var(--accent); stroke-width: 1.75; stroke-linejoin: round; }
.tm .held { stroke: var(--other); stroke-width: 1.25; stroke-dasharray: 5 3; stroke-linejoin: round; }
.tm svg path.under { fill: color-mix(in srgb, var(--loss) 22%, transparent); stroke: var(--loss); stroke-width: 1; }
.tm rect.won { fill: var(--gain); } .tm rect.lost { fill: var(--loss); }
.tm ul { margin: 0; padding-left: 20px; } .tm li + li { margin-top: 4px; }
.tm pre { margin: 0; padding: 12px; background: var(--bg); border: 1px solid var(--border); border-radius: 6px;
  font: 12px/18px ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; user-select: all; }
.tm pre + h3 { margin-top: 16px; }
.tm code { font: 12px/18px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.tm .trust th { text-align: left; } .tm .trust + .trust { margin-top: 12px; max-width: 480px; }
.tm .facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.tm .facts th { width: 40%; }
.tm footer { color: var(--muted); font-size: 11px; line-height: 16px; }
@media (max-width: 960px) { .tm .cards { columns: 2; } .tm .tiles { grid-template-columns: repeat(3, 1fr); }
  .tm .tile:nth-child(3n + 1) { border-left: 0; } .tm .tile:nth-child(n + 4) { border-top: 1px solid var(--border); } }
@media (max-width: 640px) { .tm main { padding: 16px 16px 32px; gap: 16px; } .tm .cards { columns: 1; }
  .tm .pair { grid-template-columns: minmax(0, 1fr); gap: 16px; } .tm .tiles { grid-template-columns: 1fr 1fr; }
  .tm .tile, .tm .tile:nth-child(3n + 1) { border-left: 1px solid var(--border); padding: 12px 16px; }
  .tm .tile:nth-child(2n + 1) { border-left: 0; } .tm .tile:nth-child(n + 3) { border-top: 1px solid var(--border); }
  .tm .tile dd { font-size: 20px; } .tm h1 { font-size: 20px; line-height: 28px; }
  .tm .tall { grid-template-rows: 220px auto; }
  .tm .cards > .card { margin-bottom: 16px; } .tm .stack { gap: 16px; } .tm .x .wide { display: none; } }
@media print { .tm { LIGHT color-scheme: light; background: #FFFFFF; font-size: 11px; line-height: 16px; }
  .tm main { max-width: none; padding: 0; gap: 12px; } .tm .card { padding: 12px; } .tm .pair { gap: 12px;
  grid-template-columns: 1fr 1fr; } .tm .cards { columns: 3; column-gap: 12px; }
  .tm .cards > .card { margin-bottom: 12px; } .tm .tiles { grid-template-columns: repeat(6, 1fr); }
  .tm .tile, .tm .tile:nth-child(n) { padding: 10px; border-top: 0; border-left: 1px solid var(--border); }
  .tm .tile:first-child { border-left: 0; } .tm .tile dd { font-size: 15px; line-height: 20px; }
  .tm .tall { grid-template-rows: 220px auto; } .tm .low { grid-template-rows: 110px auto; }
  .tm .middle { grid-template-rows: 150px auto; } .tm .stack { gap: 12px; }
  .tm .trio { grid-template-columns: 1fr 1fr; gap: 12px; }
  .tm th, .tm td { padding-top: 2px; padding-bottom: 2px; }
  .tm .months td, .tm .months th { padding: 3px; font-size: 9px; }
  .tm figure, .tm .card, .tm tr { break-inside: avoid; } .tm .card.long { break-inside: auto; }
  .tm .scroll { overflow: visible; } .tm * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  @page { margin: 14mm 12mm; } }
""".replace("LIGHT", _LIGHT)
    .replace("DARK", _DARK)
    .strip()
)
