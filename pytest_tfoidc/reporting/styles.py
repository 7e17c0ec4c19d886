"""How the page and the picture look, by day and by night, on a screen and on paper."""

from __future__ import annotations

LIGHT = (
    "--back:#fff;--text:#1b1f24;--soft:#57606a;--line:#d0d7de;--good:#116329;--bad:#b42318;"
    "--skip:#7a4d00;--command:#0a58ca;--id:#0f766e;--access:#6941c6;--panel:#f6f8fa"
)
DARK = (
    "--back:#0d1117;--text:#e6edf3;--soft:#9da7b3;--line:#30363d;--good:#56d364;--bad:#ff7b72;"
    "--skip:#e3b341;--command:#6cb6ff;--id:#39c5bb;--access:#c4a7ff;--panel:#161b22"
)
COLORS = f":root{{{LIGHT}}}\n@media(prefers-color-scheme:dark){{:root{{{DARK}}}}}\n"
PICTURE = """\
svg text{font:11px system-ui,sans-serif;fill:var(--text)}svg .soft{fill:var(--soft)}
svg .grid{stroke:var(--line);stroke-width:1}svg .command{fill:var(--command)}
svg .id{fill:var(--id)}svg .access{fill:var(--access)}svg .tick{stroke:var(--soft);stroke-width:1}
svg .jump{stroke:var(--text);stroke-width:1.5;stroke-dasharray:4 3}
svg .thin{stroke-width:.5;opacity:.4}
svg .dead,svg .bad{stroke:var(--bad);stroke-width:2}svg .dead{stroke-dasharray:1 3}
svg rect.bad{fill:var(--bad);stroke:none}svg .lane{fill:var(--panel)}
"""
# What a picture of its own has besides.
OWN_PICTURE = """\
.back{fill:var(--back)}svg .head{font-weight:600;font-size:14px}
svg text.good{fill:var(--good)}svg text.bad{fill:var(--bad);stroke:none}
"""
PAGE = """\
:root{color-scheme:light dark}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem clamp(.75rem,3vw,2.5rem) 3rem;max-width:96rem;
background:var(--back);color:var(--text);
font:1rem/1.5 system-ui,sans-serif}
p,dd,h1,h2,h3,td.what,pre{overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem}
p{margin:.3rem 0}.soft{color:var(--soft)}
.good{color:var(--good)}.bad{color:var(--bad)}.skip{color:var(--skip)}
.modules{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem}
.module,.failure{border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;
background:var(--panel)}
.failure{margin:0 0 1rem;border-left:4px solid var(--bad)}
.module h3,.failure h3{margin:0 0 .5rem;font-size:1.05rem}
pre{margin:.5rem 0 0;font:.85rem/1.45 ui-monospace,monospace;white-space:pre-wrap}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:0}
dt{color:var(--soft)}dd{margin:0}
.wide{overflow-x:auto;border:1px solid var(--line);border-radius:.5rem}
.wide:focus-visible,summary:focus-visible{outline:3px solid var(--command);outline-offset:2px}
.wide svg{display:block;width:100%;min-width:44rem;height:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line)}
th{background:var(--panel)}th,td{white-space:nowrap}td.what{white-space:normal}
summary{cursor:pointer;padding:.4rem 0}
@media(max-width:44rem){thead{position:absolute;clip-path:inset(50%);overflow:hidden;height:1px}
table,tbody{display:block}tr{display:flex;flex-wrap:wrap;gap:0 .75rem;padding:.4rem .6rem;
border-bottom:1px solid var(--line)}td{display:block;border:0;padding:0}
td.what{flex-basis:100%;min-width:0}td:empty{display:none}td.took{order:-1}td:first-child{order:-2}}
@media print{:root{--back:#fff;--text:#000;--soft:#444;--panel:#fff}.wide{overflow:visible}
.wide svg{min-width:0}.failure,tr{break-inside:avoid}}
"""
