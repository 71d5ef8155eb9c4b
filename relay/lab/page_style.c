/*
 * What the page looks like, and the script that looks again: both are
 * served as files of their own, so that the pages need no inline anything.
 */
#include "relay/lab/page_inner.h"

/* clang-format off */
const char *const page_style[] = {
":root{color-scheme:light dark;--ink:#1b2024;--quiet:#545f69;--paper:#fbfaf7;"
"--card:#fff;--line:#d9d6cd;--link:#0b5563;--bad:#9c1c13;--bad-paper:#fdecea;"
"--us:#0b5563;--them:#6a3a00;--focus:#b35300}\n",
"@media(prefers-color-scheme:dark){:root{--ink:#e9e6df;--quiet:#a9b0b6;"
"--paper:#14181b;--card:#1d2327;--line:#3a434a;--link:#7fd1e0;--bad:#ff9f94;"
"--bad-paper:#3b1a17;--us:#7fd1e0;--them:#f0b76b;--focus:#ffb066}}\n",
"*{box-sizing:border-box}\n",
"html{scroll-padding-top:1rem;-webkit-text-size-adjust:100%}\n",
"body{margin:0 auto;max-width:76rem;padding:0 1rem 3rem;color:var(--ink);"
"background:var(--paper);font:1rem/1.5 system-ui,sans-serif}\n",
"header{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;align-items:baseline;"
"padding:1rem 0 .6rem;border-bottom:2px solid var(--ink)}\n",
".brand{font-size:1.15rem;color:inherit;text-decoration:none}\n",
"nav{display:flex;gap:1rem}\n",
"#status{margin:0 0 0 auto;color:var(--quiet);font-size:.875rem}\n",
"#status:empty{display:none}\n",
"a{color:var(--link);text-underline-offset:.15em}\n",
":focus-visible{outline:3px solid var(--focus);outline-offset:2px;"
"border-radius:3px}\n",
".skip,.away{position:absolute;width:1px;height:1px;overflow:hidden;"
"clip-path:inset(50%);white-space:nowrap}\n",
".skip:focus{position:static;width:auto;height:auto;clip-path:none}\n",
"h1,h2,h3{line-height:1.25;overflow-wrap:anywhere}\n",
"h1{font-size:1.5rem;margin:1.25rem 0 .5rem}\n",
"h2{font-size:1.2rem;margin:2rem 0 .75rem}\n",
"h3{font-size:1.05rem;margin:0}\n",
"p{margin:.5rem 0}\n",
".quiet,.empty{color:var(--quiet)}\n",
".quiet{font-size:.9rem}\n",
".empty{padding:1rem;border:1px dashed var(--line);border-radius:.5rem}\n",
".bad{color:var(--bad);font-weight:600}\n",
".trouble{padding:.75rem 1rem;color:var(--bad);background:var(--bad-paper);"
"border-left:4px solid var(--bad)}\n",
".cards{display:grid;gap:1rem;"
"grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr))}\n",
".card{display:flex;flex-direction:column;padding:1rem;"
"background:var(--card);border:1px solid var(--line);border-radius:.5rem}\n",
".card.faulty{border-color:var(--bad);box-shadow:inset 0 3px var(--bad)}\n",
".card>p:last-child{margin:auto 0 0;padding-top:.25rem}\n",
".numbers{display:grid;grid-template-columns:repeat(3,auto);gap:.4rem 1rem;"
"margin:.6rem 0;justify-content:start}\n",
".numbers div{display:flex;flex-direction:column-reverse}\n",
".numbers dt{font-size:.8rem;color:var(--quiet)}\n",
".numbers dd{margin:0;font-size:1.2rem;font-variant-numeric:tabular-nums}\n",
".faults{list-style:none;display:flex;flex-wrap:wrap;gap:.4rem;margin:0 0 "
".6rem;padding:0}\n",
".fault{display:flex;align-items:center;max-width:100%;padding-left:.6rem;"
"color:var(--bad);background:var(--bad-paper);border-radius:1rem;"
"font-size:.9rem;overflow-wrap:anywhere}\n",
"form{margin:0}\n",
"button,input,select{font:inherit;color:inherit;background:var(--card);"
"border:1px solid var(--quiet);border-radius:.35rem;padding:.3rem .6rem;"
"min-height:2.25rem;max-width:100%}\n",
"button{cursor:pointer;font-weight:600}\n",
"button:hover{border-color:var(--ink);background:var(--paper)}\n",
"button.x{min-width:2.25rem;border:0;background:none;color:inherit;"
"padding:0 .6rem;font-size:1.1rem}\n",
"table{width:100%;border-collapse:collapse;font-size:.925rem}\n",
"th{text-align:left;font-weight:600;color:var(--quiet);font-size:.8rem}\n",
"th,td{padding:.45rem .75rem .45rem 0;border-bottom:1px solid var(--line);"
"vertical-align:top;overflow-wrap:anywhere}\n",
"td:first-child,th:first-child{white-space:nowrap}\n",
".name{white-space:nowrap}\n",
"time{font-variant-numeric:tabular-nums}\n",
".rows{list-style:none;margin:0;padding:0}\n",
".rows>li{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;"
"justify-content:space-between;padding:.6rem .75rem;"
"border-bottom:1px solid var(--line)}\n",
".rows>li>div{flex:1 1 20rem;overflow-wrap:anywhere}\n",
".rows>.on{background:var(--bad-paper)}\n",
".rows form{display:flex;flex-wrap:wrap;gap:.4rem .6rem;align-items:center}\n",
".rows+form{margin-top:.75rem}\n",
".contents{flex-wrap:wrap;margin-top:1rem}\n",
".hint{max-width:60rem}\n",
"label{display:flex;align-items:center;gap:.4rem;color:var(--quiet);"
"font-size:.875rem}\n",
"label input,label select{color:var(--ink);font-size:1rem;min-width:4rem}\n",
".facts{margin:0;background:var(--card);border:1px solid var(--line);"
"border-radius:.5rem}\n",
".facts>div{display:grid;grid-template-columns:11rem 1fr;gap:.25rem 1rem;"
"padding:.4rem .9rem;border-bottom:1px solid var(--line)}\n",
".facts>div:last-child{border:0}\n",
".facts dt{color:var(--quiet)}\n",
".facts dd{margin:0;overflow-wrap:anywhere}\n",
"pre,code{font-family:ui-monospace,monospace;font-size:.875rem}\n",
"h1 code{font-size:1em}\n",
"pre{margin:0;padding:.9rem;background:var(--card);"
"border:1px solid var(--line);border-radius:.5rem;white-space:pre-wrap;"
"overflow-wrap:anywhere}\n",
".talk .us{color:var(--us)}\n",
".talk .them{color:var(--them)}\n",
".talk .note{color:var(--quiet)}\n",
"iframe{width:100%;height:24rem;resize:vertical;background:#fff;"
"color-scheme:light;border:1px solid var(--line);border-radius:.5rem}\n",
"details{margin:1.5rem 0}\n",
"summary{cursor:pointer;font-weight:600;padding:.4rem 0}\n",
"@media(max-width:48rem){\n",
"thead{position:absolute;width:1px;height:1px;overflow:hidden;"
"clip-path:inset(50%)}\n",
"table,tbody{display:block}\n",
"tr{display:grid;grid-template-columns:1fr;padding:.6rem 0;"
"border-bottom:1px solid var(--line)}\n",
"td{display:grid;grid-template-columns:5.5rem 1fr;gap:.5rem;padding:.1rem 0;"
"border:0}\n",
"td::before{content:attr(data-label);color:var(--quiet);font-size:.85rem}\n",
"td.wide{order:-1;display:block;font-weight:600}\n",
"td.wide::before{content:none}\n",
".name{white-space:normal}\n",
".facts>div{grid-template-columns:1fr;gap:0}\n",
".rows>li{padding:.75rem 0}\n",
".rows form,.rows label{flex:1 1 auto}\n",
".rows input,.rows select{flex:1 1 4rem;width:4rem}\n",
"}\n",
"@media(prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}\n",
	NULL,
};

/* Every part marked data-live is replaced by what the server says now, but
 * for one in which somebody types or has marked text.  Forms are sent in
 * the background, so that the place on the page stays. */
const char *const page_script[] = {
"'use strict';\n",
"(() => {\n",
"const status = document.getElementById('status');\n",
"let tag = null, timer = 0;\n",
"const say = text => {\n",
"  if (status.textContent !== text) status.textContent = text;\n",
"};\n",
"const isBusy = part => {\n",
"  const at = document.activeElement, marked = document.getSelection();\n",
"  return part.contains(at) && /^(INPUT|SELECT)$/.test(at.tagName) ||\n",
"    !marked.isCollapsed && part.contains(marked.anchorNode);\n",
"};\n",
"const places = part => [...part.querySelectorAll('a,button,summary')];\n",
"const replace = (part, fresh) => {\n",
"  const index = places(part).indexOf(document.activeElement);\n",
"  part.replaceChildren(...fresh.childNodes);\n",
"  const now = places(part);\n",
"  if (index >= 0 && now.length)\n",
"    now[Math.min(index, now.length - 1)].focus({ preventScroll: true });\n",
"};\n",
"const look = async () => {\n",
"  clearTimeout(timer);\n",
"  try {\n",
"    if (!document.hidden) {\n",
"      const reply = await fetch(location.pathname, {\n",
"        cache: 'no-store', headers: tag ? { 'If-None-Match': tag } : {} });\n",
"      if (reply.status === 200) {\n",
"        tag = reply.headers.get('ETag');\n",
"        const fresh = new DOMParser().parseFromString(await reply.text(),\n",
"          'text/html');\n",
"        for (const part of document.querySelectorAll('[data-live]')) {\n",
"          const other = fresh.getElementById(part.id);\n",
"          if (!other || other.innerHTML === part.innerHTML) continue;\n",
"          if (isBusy(part)) tag = null;\n",
"          else replace(part, other);\n",
"        }\n",
"      }\n",
"      say(reply.ok || reply.status === 304 ? 'live' : 'not found any more');\n",
"    }\n",
"  } catch {\n",
"    say('the lab does not answer');\n",
"  }\n",
"  timer = setTimeout(look, 1000);\n",
"};\n",
"document.addEventListener('submit', async event => {\n",
"  const form = event.target;\n",
"  if (form.method !== 'post') return;\n",
"  event.preventDefault();\n",
"  try {\n",
"    const reply = await fetch(form.action, { method: 'POST',\n",
"      body: new URLSearchParams(new FormData(form)) });\n",
"    if (reply.ok) {\n",
"      document.activeElement.blur();\n",
"      look();\n",
"    } else {\n",
"      const said = new DOMParser().parseFromString(await reply.text(),\n",
"        'text/html').querySelector('main p');\n",
"      alert(said ? said.textContent : 'This was refused.');\n",
"    }\n",
"  } catch {\n",
"    say('the lab does not answer');\n",
"  }\n",
"});\n",
"document.addEventListener('visibilitychange', look);\n",
"if (document.querySelector('[data-live]')) look();\n",
"})();\n",
	NULL,
};
/* clang-format on */
