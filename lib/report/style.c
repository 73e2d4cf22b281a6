/*
 * style.c — how the page looks: light, dark and on paper.
 */
#include "report/page.h"

static const char *const style[] = {
    ":root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1a2230;--soft:#5c6675;"
    "--line:#e3e7ed;--grid:#eceff4;--accent:37,99,205;--warn:200,80,52;--c0:#2563cd;--c1:#d9622b;"
    "--c2:#16896a;--c3:#8054c7;--c4:#c0365f;--c5:#6b7686;--deep:#fff;--note:#fff6e5;"
    "--note-line:#efd28f}\n",
    "@media(prefers-color-scheme:dark){:root{--bg:#11151c;--card:#191f29;--ink:#e5e9f0;"
    "--soft:#98a3b3;--line:#2b3340;--grid:#252c38;--accent:86,148,255;--warn:240,120,90;"
    "--c0:#6aa3ff;--c1:#ff9a62;--c2:#3fc9a0;--c3:#b593f2;--c4:#f0759a;--c5:#9aa6b6;"
    "--deep:#0c1118;--note:#2e2716;--note-line:#5e4d20}}\n",
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"
    "\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif;"
    "font-variant-numeric:tabular-nums}\n"
    "main{max-width:1120px;margin:0 auto;padding:32px 20px 48px}\n"
    "h1{font-size:26px;line-height:1.25;margin:0 0 4px;letter-spacing:-.01em;"
    "overflow-wrap:anywhere}\n"
    "h2{font-size:18px;margin:0 0 12px}h3{font-size:14px;margin:0}\n"
    ".sub{color:var(--soft);margin:0 0 22px;overflow-wrap:anywhere}\n"
    ".say{font-size:17px;max-width:62em;margin:0 0 20px;overflow-wrap:anywhere}\n"
    ".lead{color:var(--soft);margin:-6px 0 14px}\n"
    ".note{background:var(--note);border:1px solid var(--note-line);border-radius:8px;"
    "padding:10px 14px;margin:0 0 12px}\n",
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(210px,1fr));gap:14px;"
    "margin:0 0 18px}\n"
    ".tile,section,figure{background:var(--card);border:1px solid var(--line);"
    "border-radius:10px}\n"
    ".tile{padding:14px 16px}.tile p{margin:0;color:var(--soft);font-size:13px}\n"
    ".tile .name{font-weight:600}.tile .big{font-size:30px;line-height:1.25;color:var(--ink);"
    "font-weight:650;letter-spacing:-.02em}\n"
    ".gauge{position:relative;display:block;height:8px;border-radius:4px;background:var(--grid);"
    "margin:8px 0 8px}\n"
    ".gauge i{display:block;height:100%;border-radius:4px;background:rgb(var(--accent))}\n"
    ".gauge b{position:absolute;top:-3px;bottom:-3px;width:2px;background:var(--ink)}\n",
    "section{padding:18px 20px;margin:0 0 18px}\n"
    "#curves{background:none;border:0;padding:0}#curves>h2{padding-left:2px}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));"
    "gap:14px}\n"
    "figure{margin:0;padding:12px 14px 8px}\n"
    "figcaption{display:flex;justify-content:space-between;gap:10px;align-items:baseline;"
    "margin:0 0 4px}figcaption span{color:var(--soft);font-size:12px}\n"
    "#curves{margin-bottom:18px}.pair>*{min-width:0}\n"
    ".pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));"
    "gap:0 18px;align-items:stretch}\n",
    "svg.chart{display:block;width:100%;height:auto}\n"
    "svg text{font:11px system-ui,-apple-system,\"Segoe UI\",Roboto,Arial,sans-serif;"
    "fill:var(--soft)}svg .end{text-anchor:end}svg .mid{text-anchor:middle}"
    "svg .legend{font-size:12px;fill:var(--ink)}\n"
    "svg .grid{stroke:var(--grid)}svg .axis{stroke:var(--c5);opacity:.7}"
    "svg .mark{stroke:var(--c5);stroke-dasharray:3 3}\n"
    "svg .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
    "svg .faint{stroke-width:1;opacity:.35}svg .key{stroke-width:3;opacity:1}"
    "svg .dot{stroke:var(--card);stroke-width:1}\n"
    ".line.c0{stroke:var(--c0)}.line.c1{stroke:var(--c1)}.line.c2{stroke:var(--c2)}"
    ".line.c3{stroke:var(--c3)}.line.c4{stroke:var(--c4)}.line.c5{stroke:var(--c5)}"
    ".dot.c0{fill:var(--c0)}.dot.c1{fill:var(--c1)}.dot.c2{fill:var(--c2)}"
    ".dot.c3{fill:var(--c3)}.dot.c4{fill:var(--c4)}.dot.c5{fill:var(--c5)}\n",
    ".scroll{overflow-x:auto;margin:0 0 8px}table{border-collapse:collapse;font-size:14px}\n"
    "th{font-weight:600;text-align:left}\n"
    ".list{width:100%}.list th,.list td{padding:5px 14px 5px 0;"
    "border-bottom:1px solid var(--line);vertical-align:top;max-width:26em;"
    "overflow-wrap:break-word}.list tbody tr>:first-child{min-width:7em}\n"
    ".list thead th{color:var(--soft);font-size:13px;white-space:nowrap}"
    ".list tbody th{font-weight:400}.list .num{text-align:right;white-space:nowrap}\n"
    ".bars .wide{width:50%;vertical-align:middle}\n"
    ".bar{display:block;height:10px;border-radius:3px;background:var(--grid);min-width:90px}"
    ".bar i{display:block;height:100%;border-radius:3px;background:rgb(var(--accent))}\n",
    ".matrix{font-size:13px}.matrix th{font-weight:500;padding:3px 8px;white-space:nowrap;"
    "max-width:15em;overflow:hidden;text-overflow:ellipsis}\n"
    ".matrix thead th{text-align:center;vertical-align:bottom}"
    ".matrix tbody th{text-align:right}\n"
    ".matrix .up span{writing-mode:vertical-rl;transform:rotate(180deg);max-height:12em;"
    "overflow:hidden;text-overflow:ellipsis}\n"
    ".matrix td{min-width:30px;height:28px;padding:2px 6px;text-align:center;"
    "border:2px solid var(--card);border-radius:5px}\n"
    ".matrix tbody td{background:rgba(var(--accent),calc(.05 + .95*var(--v)))}"
    ".matrix tbody td.miss{background:rgba(var(--warn),calc(.04 + .96*var(--v)))}"
    ".matrix tbody td.nil{background:var(--grid);color:var(--soft)}"
    ".matrix td.deep{color:var(--deep)}"
    ".matrix tbody td.sum{background:none;color:var(--soft);text-align:right}\n",
    ".facts dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(250px,100%),1fr));"
    "gap:10px 22px;margin:0}.facts div{min-width:0}.facts dt{color:var(--soft);font-size:13px}"
    ".facts dd{margin:0;overflow-wrap:anywhere}\n"
    "pre{margin:0;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;"
    "white-space:pre-wrap;overflow-wrap:anywhere}pre b{font-weight:600;color:var(--c0)}\n"
    "summary{cursor:pointer;color:var(--soft);margin:4px 0 8px}\n"
    "footer{color:var(--soft);font-size:13px;padding:2px}\n",
    "@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#444;"
    "--line:#ccc;--grid:#e8e8e8;--accent:37,99,205;--warn:200,80,52;--c0:#2563cd;--c1:#d9622b;"
    "--c2:#16896a;--c3:#8054c7;--c4:#c0365f;--c5:#6b7686;--deep:#fff;--note:#fff}"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}body{font-size:12px}"
    "main{max-width:none;padding:0}.tile,figure,tr,.facts div{break-inside:avoid}"
    "h2,.lead{break-after:avoid}.figures,.pair{grid-template-columns:1fr 1fr}"
    ".scroll{overflow:visible}table,.matrix{font-size:11px}.list th,.list td{padding:3px 8px 3px 0}"
    ".tiles{grid-template-columns:repeat(4,1fr)}.facts,.tile{break-inside:avoid}}\n",
};

void
fine__page_style(struct fine__buf *out)
{
    fine__buf_text(out, "<style>\n");
    for (int64_t i = 0; i < FINE__COUNT(style); i++)
        fine__buf_text(out, style[i]);
    fine__buf_text(out, "</style>\n");
}
