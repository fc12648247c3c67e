'use strict';
(() => {
  const STATES = [
    ['runnable', 1, 150, 190], ['running', 2, 470, 190], ['syscall', 3, 680, 62],
    ['waiting', 4, 310, 340], ['preempted', 9, 310, 62], ['leaked', 10, 60, 340],
  ];
  // Count, words, path, where the words stand and end, what it means.
  const EDGES = [
    ['go', 'go', 'M80 221H146', 113, 212, 'middle', 'Tasks that were made'],
    ['start', 'start', 'M300 234H466', 383, 252, 'middle', 'A worker began a task or went on with one'],
    ['yield', 'yield', 'M470 208H304', 385, 200, 'middle', 'A task let others go first, because it wanted to or had had its slice'],
    ['end', 'end', 'M620 228H766', 696, 246, 'middle', 'Its function has ended'],
    ['park', 'park', 'M545 252V348Q545 358 535 358H464', 555, 310, 'start', 'A task waits for something'],
    ['ready', 'ready', 'M310 368H235Q225 368 225 358V256', 234, 296, 'start', 'Somebody ended its wait'],
    ['suspend', 'suspend', 'M490 190V118Q490 108 480 108H464', 482, 160, 'end', 'It had had its slice, others waited, and the signal stopped it'],
    ['resume', 'resume', 'M460 84H510Q520 84 520 94V186', 528, 140, 'start', 'A suspended task has a processor again'],
    ['overrun', 'overrun', 'M680 72H464', 572, 64, 'middle', 'After a call it computed without a processor'],
    ['call', 'call', 'M606 190V118Q606 108 616 108H676', 614, 166, 'start', 'A blocking call, declared or found by the signal'],
    ['back', 'back', 'M730 124V200Q730 210 720 210H624', 739, 172, 'start', 'Its call has ended, and it went on at once'],
    ['queue', 'back, and waits', 'M755 62V36Q755 26 745 26H235Q225 26 225 36V186', 490, 18, 'middle', 'Its call has ended, and others have all processors'],
    ['trim', 'trim', 'M460 388H646', 553, 408, 'middle', 'Unused memory of its stack is given back', 'both'],
    ['condemn', 'verdict', 'M310 392H214', 262, 412, 'middle', 'A leak check found that nobody will wake it'],
    ['', 'late', 'M170 340V256', 162, 310, 'end', 'One that was judged to be leaked can still be woken; that is counted as ready', 'rare'],
  ];
  const KEEP = 180;
  const LISTED = 200;

  const $ = (id) => document.getElementById(id);
  const SVG = 'http://www.w3.org/2000/svg';
  const put = (element, attributes, children) => {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === false || value == null) continue;
      if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? '' : value);
    }
    element.append(...children.filter((child) => child != null && child !== false));
    return element;
  };
  const h = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
  const s = (tag, attributes, ...children) => put(document.createElementNS(SVG, tag), attributes, children);
  // Makes these the element's only children, and moves none that is in its place.
  const arrange = (parent, children) => {
    let at = parent.firstElementChild;
    for (const child of children) {
      if (child === at) at = at.nextElementSibling;
      else parent.insertBefore(child, at);
    }
    while (at) { const next = at.nextElementSibling; at.remove(); at = next; }
  };

  const text = (element, value) => {
    if (element.textContent !== value) element.textContent = value;
  };

  const exact = new Intl.NumberFormat('en');
  const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
  const number = (n) => (n < 1e6 ? exact.format(Math.round(n)) : compact.format(n));
  const perSecond = (n) => (n > 0 && n < 10 ? n.toFixed(1) : number(n)) + '/s';
  const age = (ms) => {
    if (ms == null) return '';
    if (ms < 1000) return Math.round(ms) + ' ms';
    const seconds = ms / 1000;
    if (seconds < 60) return Math.floor(seconds) + ' s';
    if (seconds < 3600) return Math.floor(seconds / 60) + ' min';
    if (seconds < 172800) return Math.floor(seconds / 3600) + ' h';
    return Math.floor(seconds / 86400) + ' d';
  };
  const bytes = (n) => (n < 1024 ? n + ' B' : n < 1 << 20 ? Math.round(n / 1024) + ' KiB' : Math.round(n / (1 << 20)) + ' MiB');
  // The end of a path is what tells files apart.
  const place = (path) => {
    const parts = path.split('/');
    return parts.length > 4 ? '…/' + parts.slice(-3).join('/') : path;
  };
  const clock = () => new Date().toLocaleTimeString('en-GB');

  // What was seen, the last at the end.
  const looks = [];
  const trends = new Map();
  let marked = null;
  let paused = false;
  let timer = 0;
  let asking = 0;
  let sort = 'count';
  const opened = { group: null, task: null };
  const wanted = { q: '', state: '', minutes: '' };

  // ---- the diagram

  const counts = {};
  const drawMachine = () => {
    for (const [key, words, path, x, y, anchor, meaning, kind] of EDGES) {
      const much = s('tspan', { class: 'much' });
      const edge = s('g', { class: 'edge ' + (kind || ''), 'data-edge': key || null },
        s('title', {}, meaning), s('path', { d: path }));
      const label = s('g', { class: 'edge label ' + (kind || '') }, s('title', {}, meaning), s('text', { x, y, 'text-anchor': anchor }, s('tspan', { class: 'what' }, words + (key ? ' ' : '')), much));
      if (key) counts[key] = { edge, label, much };
      $('edges').append(edge);
      $('labels').append(label);
    }
    const pill = (x, words, key) => {
      const count = s('text', { class: 'number', x: x + 40, y: 236, 'text-anchor': 'middle' });
      counts[key] = Object.assign(counts[key] || {}, { all: count });
      $('nodes').append(s('g', { class: 'node', 'data-tone': 'dead' },
        s('rect', { x, y: 201, width: 80, height: 42, rx: 21 }),
        s('text', { x: x + 40, y: 219, 'text-anchor': 'middle' }, words), count));
    };
    pill(0, 'new', 'go');
    pill(770, 'dead', 'end');
    $('nodes').append(s('g', { class: 'node', 'data-tone': 'dead' },
      s('rect', { x: 650, y: 366, width: 130, height: 44, rx: 10 }),
      s('text', { class: 'name', x: 715, y: 393, 'text-anchor': 'middle' }, 'copystack'),
      s('text', { class: 'number', x: 770, y: 381, 'text-anchor': 'end' }, '8')));
    for (const [state, n, x, y] of STATES) {
      const count = s('text', { class: 'count', x: x + 18, y: y + 50 }, '…');
      const choose = () => setState(wanted.state === state ? '' : state);
      const node = s('g', {
        class: 'node button', tabindex: 0, role: 'button', 'aria-pressed': 'false',
        'data-tone': state, 'data-state': state, onclick: choose,
        onkeydown: (event) => {
          if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); choose(); }
        },
      },
      s('rect', { x, y, width: 150, height: 62, rx: 10 }),
      s('rect', { class: 'bar', x: x, y: y + 10, width: 5, height: 42, rx: 2.5 }),
      s('text', { class: 'name', x: x + 18, y: y + 24 }, state), count,
      s('text', { class: 'number', x: x + 140, y: y + 22, 'text-anchor': 'end' }, String(n)));
      counts[state] = { node, count };
      $('nodes').append(node);
    }
  };

  const rates = (now, before) => {
    const seconds = before ? (now.time_ms - before.time_ms) / 1000 : 0;
    const rate = {};
    for (const key of Object.keys(now.counts)) {
      rate[key] = seconds > 0 ? Math.max(0, now.counts[key] - before.counts[key]) / seconds : 0;
    }
    return rate;
  };

  const showMachine = (now, before) => {
    // Who is suspended is there or has gone on.
    now.counts.resume = Math.max(0, now.counts.suspend + now.counts.overrun - now.states.preempted);
    const perRate = document.querySelector('[name=rate]:checked').value === 'rate';
    const rate = rates(now, before);
    for (const [key] of EDGES) {
      if (!key) continue;
      const { edge, label, much } = counts[key];
      text(much, perRate ? perSecond(rate[key]) : number(now.counts[key]));
      label.classList.toggle('quiet', (perRate ? rate[key] : now.counts[key]) === 0);
      edge.classList.toggle('busy', rate[key] > 0);
      edge.lastElementChild.style.strokeWidth = 1.3 + Math.min(1.8, Math.log10(1 + rate[key]) / 3);
    }
    text(counts.go.all, number(now.counts.go));
    text(counts.end.all, number(now.counts.end));
    for (const [state] of STATES) {
      const { node, count } = counts[state];
      text(count, number(now.states[state]));
      node.setAttribute('aria-label', `${state}: ${exact.format(now.states[state])} tasks`);
      node.setAttribute('aria-pressed', String(wanted.state === state));
    }
  };

  // ---- over time

  const series = STATES.map(([state]) => [state, state, (look) => look.states[state]]);
  series.push(['tasks', '', (look) => look.tasks]);
  series.push(['made per second', '', (look) => look.made]);
  const rows = new Map();

  const line = (values, most, wide, high) => {
    // As long as little was seen it has more room.
    const step = wide / (Math.max(30, values.length) - 1);
    const first = wide - step * (values.length - 1);
    const y = (value) => high - 2 - (value / (most || 1)) * (high - 4);
    const points = values.map((value, n) => `${(first + n * step).toFixed(1)} ${y(value).toFixed(1)}`);
    return points.length === 1 ? [`${wide - step} ${y(values[0])}`, ...points] : points;
  };
  const spark = (wide, high, tone) => {
    const area = s('path', { class: 'area' });
    const stroke = s('path', {});
    const svg = s('svg', {
      class: 'spark', viewBox: `0 0 ${wide} ${high}`, preserveAspectRatio: 'none',
      'aria-hidden': 'true', 'data-tone': tone || null,
    }, area, stroke);
    const draw = (values) => {
      const most = values.reduce((a, b) => Math.max(a, b), 0);
      const points = line(values, most, wide, high);
      const d = 'M' + points.join('L');
      stroke.setAttribute('d', d);
      area.setAttribute('d', `${d}L${wide} ${high}L${points[0].split(' ')[0]} ${high}Z`);
      return most;
    };
    return { svg, draw };
  };

  const drawSeries = () => {
    for (const [name, tone] of series) {
      const { svg, draw } = spark(300, 26, tone);
      const now = h('td', {});
      const most = h('td', { class: 'most' });
      $('series').tBodies[0].append(h('tr', { 'data-tone': tone || null },
        h('th', { scope: 'row', class: tone ? 'dot' : '' }, name), now, h('td', { class: 'line' }, svg), most));
      rows.set(name, { now, most, draw });
    }
  };

  const showSeries = () => {
    for (const [name, , value] of series) {
      const values = looks.map(value);
      const row = rows.get(name);
      const most = row.draw(values);
      text(row.now, number(values[values.length - 1]));
      text(row.most, 'max ' + number(most));
    }
    const span = looks[looks.length - 1].time_ms - looks[0].time_ms;
    text($('span'), 'the last ' + age(span));
  };

  // ---- run queues

  const showProcessors = (now) => {
    const list = $('processors');
    const queues = now.processors.map((p, n) => {
      const who = p.worker == null ? p.state : `worker ${p.worker}` + (p.task == null ? (p.spinning ? ' looks' : '') : ` · task ${p.task}`);
      return { name: 'P' + n, queued: p.queued, bound: p.bound, who, task: p.task };
    });
    queues.push({ name: 'global', queued: now.queues.global, bound: 0, who: '' });
    queues.push({ name: 'elsewhere', queued: 0, bound: now.queues.bound, who: 'thread has no P' });
    const most = Math.max(8, ...queues.map((queue) => queue.queued + queue.bound));
    while (list.children.length > queues.length) list.lastChild.remove();
    while (list.children.length < queues.length) {
      const task = h('span', { class: 'who' });
      list.append(h('li', {}, h('span', { class: 'name' }), h('span', { class: 'queue', 'aria-hidden': 'true' },
        h('span', { class: 'queued' }), h('span', { class: 'bound' })), h('span', { class: 'length' }), task));
    }
    queues.forEach((queue, n) => {
      const [name, bar, length, who] = list.children[n].children;
      text(name, queue.name);
      bar.children[0].style.width = (queue.queued / most) * 100 + '%';
      bar.children[1].style.width = (queue.bound / most) * 100 + '%';
      text(length, number(queue.queued + queue.bound));
      length.setAttribute('title', `${queue.queued} anyone may run, ${queue.bound} bound`);
      text(who, queue.who);
    });
    text($('threads'), `${now.threads} threads, ${now.idle_threads} idle, ${now.spinning_threads} looking`);
  };

  // ---- groups

  const body = $('table').tBodies[0];
  const words = (all) => all.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (group) => {
    if (wanted.state && group.status !== wanted.state) return false;
    if (wanted.minutes !== '' && group.blocked === 0) return false;
    const all = [group.status, group.reason, group.site, group.entry, group.created_at].join(' ').toLowerCase();
    return words(wanted.q).every((word) => all.includes(word));
  };
  const size = (group) => (wanted.minutes === '' ? group.count : group.blocked);
  const growth = (group) => {
    const before = marked && marked.get(group.key);
    return size(group) - (before ? (wanted.minutes === '' ? before.count : before.blocked) : 0);
  };
  const orders = {
    count: (group) => size(group), growth, age: (group) => group.oldest_ms || 0,
  };

  const newRow = (key) => {
    const trend = spark(100, 20, '');
    const open = h('button', { class: 'open' });
    const cell = {
      count: h('td', { class: 'num' }), growth: h('td', { class: 'num' }),
      trend: h('td', { class: 'trend' }, trend.svg), state: h('td', { class: 'nowrap' }),
      site: h('td', { class: 'path' }), entry: h('td', { class: 'path' }), age: h('td', { class: 'num' }),
    };
    const made = h('small', {});
    const state = h('span', { class: 'dot' });
    cell.state.append(state);
    cell.entry.append(open, made);
    const row = h('tr', { 'data-key': key, onclick: () => openGroup(key) }, ...Object.values(cell));
    open.addEventListener('click', (event) => { event.stopPropagation(); openGroup(key); });
    return Object.assign(row, { cell, draw: trend.draw, svg: trend.svg, open, made, state });
  };

  const showGroups = (now) => {
    const found = now.groups.filter(matches);
    const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
    const order = orders[sort];
    found.sort((a, b) => order(b) - order(a) || b.count - a.count || (a.key < b.key ? -1 : 1));
    // Nobody clicks beside a row because it has moved away.
    if (body.matches(':hover, :focus-within')) {
      const at = new Map([...known.keys()].map((key, n) => [key, n]));
      const last = at.size;
      found.sort((a, b) => (at.get(a.key) ?? last) - (at.get(b.key) ?? last));
    }
    const rowsNow = found.map((group) => {
      const row = known.get(group.key) || newRow(group.key);
      const { cell } = row;
      const more = growth(group);
      text(cell.count, number(size(group)));
      text(cell.growth, more > 0 ? '+' + number(more) : more < 0 ? '−' + number(-more) : '0');
      cell.growth.className = 'num' + (more > 0 && group.durable ? ' grows' : more < 0 ? ' shrinks' : '');
      row.draw(trends.get(group.key) || [group.count]);
      row.svg.dataset.tone = group.status;
      row.state.dataset.tone = group.status;
      text(row.state, group.reason ? (group.status === 'waiting' ? '' : group.status + ': ') + group.reason : group.status);
      text(cell.site, group.site ? place(group.site) : '');
      cell.site.title = group.site || '';
      text(row.open, group.entry);
      text(row.made, 'started at ' + place(group.created_at));
      row.made.title = group.created_at;
      text(cell.age, age(group.oldest_ms));
      row.classList.toggle('chosen', opened.group === group.key);
      return row;
    });
    arrange(body, rowsNow);
    if (found.length === 0) body.append(h('tr', { 'data-key': '' }, h('td', { class: 'empty', colspan: 7 }, now.groups.length ? 'No group is like that.' : 'There are no tasks.')));
    const tasks = found.reduce((sum, group) => sum + size(group), 0);
    const all = found.length === now.groups.length;
    text($('found'), `${number(tasks)} task${tasks === 1 ? '' : 's'} in ${found.length} group${found.length === 1 ? '' : 's'}${all ? '' : ' of ' + now.groups.length}`);
    $('more').hidden = !now.more_groups;
    text($('more'), `${now.more_groups} smaller groups are not listed.`);
  };

  // ---- some tasks, one task

  const ask = async (path) => {
    const answer = await fetch(path, { cache: 'no-store' });
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Error(`${answer.status}: ${(await answer.text()).trim()}`);
    return answer.json();
  };

  const listed = () => opened.group != null || wanted.q !== '';
  const showSome = async () => {
    $('some').hidden = !listed();
    if (!listed()) return;
    const query = new URLSearchParams({ frames: 0, limit: LISTED + 1 });
    if (opened.group) query.set('group', opened.group);
    else query.set('q', wanted.q);
    if (wanted.state && !opened.group) query.set('status', wanted.state);
    if (wanted.minutes !== '') query.set('minutes', wanted.minutes);
    const asked = query.toString();
    const found = (await ask('/debug/tasks.json?' + asked)) || [];
    if (!listed() || (opened.group && query.get('group') !== opened.group)) return;
    const more = found.length > LISTED;
    found.length = Math.min(found.length, LISTED);
    text($('some-title'), opened.group ? 'Tasks of the group' : `Tasks with “${wanted.q}”`);
    text($('some-note'), more ? `the first ${LISTED}` : String(found.length));
    const list = $('list');
    const known = new Map([...list.children].map((item) => [item.dataset.task, item]));
    const items = found.map((task) => {
      const id = String(task.id);
      const item = known.get(id) || h('li', { 'data-task': id }, h('button', { onclick: () => openTask(id) },
        h('span', { class: 'id' }), h('span', { class: 'what mono' }), h('span', { class: 'since' }), h('span', { class: 'why' })));
      const [number_, what, since, why] = item.firstChild.children;
      text(number_, id);
      text(what, task.name ? `“${task.name}”` : task.entry);
      text(since, age(task.age_ns == null ? null : task.age_ns / 1e6));
      text(why, task.reason ? `${task.reason} at ${place(task.site)}` : task.status + (task.call ? ' at ' + place(task.call) : ''));
      item.firstChild.setAttribute('aria-current', String(id === opened.task));
      return item;
    });
    arrange(list, items);
    if (!items.length) list.append(h('li', { class: 'empty' }, 'None at the moment.'));
  };

  const link = (id) => h('button', { class: 'task', onclick: () => openTask(String(id)) }, 'task ' + id);

  const drawGraph = (one) => {
    const wide = 210, high = 44, gapX = 64, gapY = 16;
    const levels = [...new Set(one.nodes.map((node) => node.level))].sort((a, b) => a - b);
    const columns = levels.map((level) => one.nodes.filter((node) => node.level === level));
    const tallest = Math.max(...columns.map((column) => column.length));
    const height = tallest * (high + gapY) + gapY;
    columns.forEach((column, x) => column.forEach((node, y) => {
      node.x = 6 + x * (wide + gapX);
      node.y = (height - column.length * (high + gapY) + gapY) / 2 + y * (high + gapY);
    }));
    const width = columns.length * (wide + gapX) - gapX + 12;
    const cut = (value, most) => (value.length > most ? value.slice(0, most - 1) + '…' : value);
    const low = one.edges.some(({ from, to }) => one.nodes[to].x <= one.nodes[from].x) ? 44 : 6;
    const edges = one.edges.map(({ from, to, what }) => {
      const [a, b] = [one.nodes[from], one.nodes[to]];
      const y1 = a.y + high / 2, y2 = b.y + high / 2;
      const path = b.x > a.x
        ? `M${a.x + wide} ${y1}C${a.x + wide + gapX / 2} ${y1} ${b.x - gapX / 2} ${y2} ${b.x - 3} ${y2}`
        : `M${a.x + wide / 2} ${a.y + high}C${a.x + wide / 2} ${height + 40} ${b.x + wide / 2} ${height + 40} ${b.x + wide / 2} ${b.y + high + 3}`;
      return s('path', { d: path }, s('title', {}, what));
    });
    const nodes = one.nodes.map((node) => {
      const here = node.task === one.task.id;
      const open = () => openTask(String(node.task));
      const can = node.task != null && !here;
      return s('g', {
        class: (here ? 'this' : node.task == null && node.status === '' ? 'thing' : '') + (can ? ' button' : ''),
        'data-tone': node.status || null, tabindex: can ? 0 : null, role: can ? 'button' : null,
        'aria-label': can ? `${node.title}, ${node.detail}` : null, onclick: can && open,
        onkeydown: can && ((event) => { if (event.key === 'Enter') open(); }),
      }, s('title', {}, `${node.title}: ${node.detail}`),
      s('rect', { x: node.x, y: node.y, width: wide, height: high, rx: 8 }),
      // Whatever is written there, and however wide its letters are, it ends with the box.
      s('svg', { x: node.x + 10, y: node.y, width: wide - 16, height: high },
        s('text', { x: 0, y: 18 }, cut(node.title, 28)),
        s('text', { class: 'detail', x: 0, y: 34 }, cut(node.detail.replace(/(\S*\/)+/g, '…/'), 34))));
    });
    return s('svg', { class: 'graph', width, height: height + low, viewBox: `0 0 ${width} ${height + low}`, role: 'group', 'aria-label': 'Who waits for what' }, ...edges, ...nodes);
  };

  let drawn = '';
  const showOne = async () => {
    $('one').hidden = opened.task == null;
    if (opened.task == null) return;
    const id = opened.task;
    const one = await ask('/debug/task.json?id=' + encodeURIComponent(id));
    if (opened.task !== id) return;
    if (!one) {
      text($('one-title'), `Task ${id} has ended`);
      $('ended').hidden = $('detail').childElementCount === 0;
      return;
    }
    const task = one.task;
    // What has been drawn stays under the pointer and the focus until something changes.
    const same = JSON.stringify([one, wanted.q], (key, value) => (key === 'age_ns' || key === 'detail' ? undefined : value));
    const waits = task.age_ns == null ? '' : age(task.age_ns / 1e6);
    if (same === drawn) {
      const since = $('waits-since');
      if (since) text(since, waits);
      return;
    }
    drawn = same;
    $('ended').hidden = true;
    text($('one-title'), `${task.kind === 'thread' ? 'Thread' : 'Task'} ${task.id}` + (task.name ? ` “${task.name}”` : ''));
    const facts = h('dl', {});
    const fact = (name, ...values) => facts.append(h('dt', {}, name), h('dd', {}, ...values));
    fact('State', h('span', { class: 'dot', 'data-tone': task.status }, task.status), task.reason ? `: ${task.reason}` : '');
    if (task.reason) {
      fact('At', h('code', {}, task.site));
      fact('For', h('span', { id: 'waits-since' }, waits), task.timed ? ', with a limit' : '');
    }
    if (task.call) fact('Call at', h('code', {}, task.call));
    if (task.last_site) fact('Waited last at', h('code', {}, task.last_site));
    if (task.lock_holder != null) fact('Lock held by', link(task.lock_holder));
    fact('Runs', h('code', {}, task.entry));
    fact('Started by', h('code', {}, task.created_by), task.parent == null ? '' : ' in ', task.parent == null ? '' : link(task.parent), h('br', {}), h('code', {}, task.created_at));
    for (const older of one.ancestors.slice(1)) fact('and that by', link(older.id), ' ', h('code', {}, older.entry));
    if (task.labels) fact('Labels', h('code', {}, Object.entries(task.labels).map(([name, value]) => `${name}=${value}`).join(' ')));
    if (task.worker != null) fact('Thread', `worker ${task.worker}` + (task.locked ? ', locked' : ''));
    if (task.stack_limit) fact('Stack', (task.stack_depth == null ? '' : bytes(task.stack_depth) + ' deep, ') + `${bytes(task.stack_limit)} at most`);
    const frames = h('ol', {}, ...(task.frames || []).map((frame) => h('li', {}, h('code', {}, frame.function),
      h('small', {}, frame.file ? `${frame.file}:${frame.line ?? '?'}` : ''))));
    const parts = [];
    if (one.edges.length) {
      const name = (node) => (node.task == null || node.task === task.id ? node.title : link(node.task));
      parts.push(h('h3', {}, 'Who waits for what'), h('div', { class: 'scroll' }, drawGraph(one)),
        h('ul', { class: 'text' }, ...one.edges.map(({ from, to, what }) => h('li', {}, name(one.nodes[from]),
          one.nodes[from].status || one.nodes[from].task != null ? ' waits for ' : ' → ', name(one.nodes[to]), what ? `: ${what}` : '',
          one.nodes[to].status === '' && one.nodes[to].detail ? ` (${one.nodes[to].detail})` : ''))));
      if (one.more_waiters) parts.push(h('p', { class: 'note' }, `${one.more_waiters} more wait for it.`));
    }
    $('detail').replaceChildren(h('div', {}, facts, h('h3', {}, 'Frames'), task.frames && task.frames.length ? frames : h('p', { class: 'note' }, 'None: it has not started, or did not answer in time.')), h('div', {}, ...parts));
  };

  // ---- looking

  const show = (now) => {
    const before = looks[looks.length - 1];
    now.made = before ? rates(now, before).go : 0;
    looks.push(now);
    if (looks.length > KEEP) looks.shift();
    const seen = new Set();
    for (const group of now.groups) {
      seen.add(group.key);
      const trend = trends.get(group.key) || [];
      trend.push(group.count);
      if (trend.length > KEEP) trend.shift();
      trends.set(group.key, trend);
    }
    for (const key of trends.keys()) if (!seen.has(key)) trends.delete(key);
    if (!marked) mark(now);
    draw(now, before);
  };

  const draw = (now, before) => {
    document.title = `${number(now.tasks)} tasks · ${now.program}`;
    text($('program'), now.program);
    text($('pid'), `process ${now.pid}`);
    text($('total'), number(now.tasks));
    text($('total-word'), now.tasks === 1 ? 'task' : 'tasks');
    text($('level'), now.meaning);
    text($('blocked-count'), number(now.blocked));
    text($('blocked-for'), now.minutes === 1 ? '1 minute' : `${now.minutes} minutes`);
    $('warning').hidden = !now.warning;
    text($('warning'), `${number(now.tasks)} tasks live. So many are ${now.meaning}.`);
    showMachine(now, before);
    showSeries();
    showProcessors(now);
    showGroups(now);
  };

  const redraw = () => {
    if (looks.length) draw(looks[looks.length - 1], looks[looks.length - 2]);
  };

  const look = async () => {
    clearTimeout(timer);
    if (paused || document.hidden) return;
    const mine = ++asking;
    const begun = performance.now();
    let again = Number($('every').value);
    let asked = false;
    try {
      const now = await ask('/debug/live.json?minutes=' + (wanted.minutes === '' ? 10 : wanted.minutes));
      if (mine !== asking) return;
      asked = true;
      show(now);
      asked = false;
      await Promise.all([showSome(), showOne()]);
      $('trouble').hidden = true;
      document.body.classList.remove('stale');
      document.body.dataset.looks = String(Number(document.body.dataset.looks || 0) + 1);
      // Looking takes a tenth of the time at most. At the first look symbols are read.
      const took = looks.length > 1 ? performance.now() - begun : 0;
      const slow = 10 * took > again;
      again = Math.max(again, 10 * took);
      text($('pace'), slow ? `every ${age(again)}, as a look takes ${age(took)}` : '');
    } catch (error) {
      if (mine !== asking) return;
      const why = asked ? 'This page has an error: ' : 'No answer: the program has ended or stands still. What is shown was seen last. ';
      text($('trouble'), why + `(${error.message})`);
      $('trouble').hidden = false;
      document.body.classList.add('stale');
      again = Math.max(again, 2000);
    }
    if (mine === asking) timer = setTimeout(look, again);
  };

  // ---- what the reader does

  const say = (words_) => { $('said').textContent = words_; };
  const setPaused = (on) => {
    paused = on;
    asking += 1;
    $('pause').setAttribute('aria-pressed', String(on));
    text($('pause').lastElementChild, on ? 'Go on' : 'Pause');
    say(on ? 'Paused' : 'Goes on');
    if (!on) look();
  };
  const setState = (state) => {
    wanted.state = state;
    $('state').value = state;
    changed();
  };
  const changed = () => {
    redraw();
    if (paused) update();
    else look();
  };
  const update = () => Promise.all([showSome(), showOne()]).catch((error) => {
    text($('trouble'), error.message);
    $('trouble').hidden = false;
  });
  const mark = (now) => {
    marked = new Map(now.groups.map((group) => [group.key, group]));
    text($('since'), clock());
  };
  const markNow = () => {
    if (!looks.length) return;
    mark(looks[looks.length - 1]);
    redraw();
    say('Growth is counted from now on');
  };
  const remember = () => {
    const hash = opened.task == null ? '' : '#task=' + opened.task;
    if (location.hash !== hash) history.replaceState(null, '', location.pathname + hash);
  };
  const openGroup = (key) => {
    opened.group = opened.group === key ? null : key;
    redraw();
    update().then(() => {
      if (opened.group) $('some').scrollIntoView({ block: 'nearest' });
    });
  };
  const openTask = (id) => {
    opened.task = id;
    drawn = '';
    remember();
    update().then(() => {
      if (opened.task === id) $('one-title').focus();
    });
  };
  const closeOne = () => {
    const id = opened.task;
    opened.task = null;
    $('one').hidden = true;
    remember();
    const item = [...$('list').children].find((it) => it.dataset.task === id);
    if (item) {
      item.firstChild.setAttribute('aria-current', 'false');
      item.firstChild.focus();
    }
  };
  const closeSome = () => {
    const row = [...body.rows].find((it) => it.dataset.key === opened.group);
    opened.group = null;
    $('some').hidden = !listed();
    redraw();
    if (row && row.open) row.open.focus();
  };
  const clear = () => {
    wanted.q = wanted.state = wanted.minutes = '';
    for (const id of ['q', 'state', 'minutes']) $(id).value = '';
    changed();
  };
  const close = () => {
    if (opened.task != null) closeOne();
    else if (opened.group != null) closeSome();
    else if (wanted.q || wanted.state || wanted.minutes) clear();
  };
  const step = (from, by) => {
    const all = [...document.querySelectorAll(from.closest('#table') ? '#table .open' : '#list button')];
    const next = all[all.indexOf(from) + by];
    if (next) next.focus();
  };

  for (const [state] of STATES) $('state').append(h('option', { value: state }, state));
  drawMachine();
  drawSeries();
  $('pause').addEventListener('click', () => setPaused(!paused));
  $('help').addEventListener('click', () => $('keys').showModal());
  $('every').addEventListener('change', look);
  $('mark').addEventListener('click', markNow);
  $('q').addEventListener('input', () => { wanted.q = $('q').value.trim(); changed(); });
  $('state').addEventListener('change', () => setState($('state').value));
  $('minutes').addEventListener('change', () => { wanted.minutes = $('minutes').value; marked = null; changed(); if (looks.length) mark(looks[looks.length - 1]); });
  $('filter').addEventListener('submit', (event) => event.preventDefault());
  $('filter').addEventListener('reset', (event) => { event.preventDefault(); clear(); });
  $('close-some').addEventListener('click', () => { if (opened.group != null) closeSome(); else clear(); });
  $('close-one').addEventListener('click', closeOne);
  $('blocked').addEventListener('click', () => {
    if (wanted.minutes === '') wanted.minutes = '10';
    $('minutes').value = wanted.minutes;
    sort = 'count';
    changed();
    $('groups').scrollIntoView({ block: 'nearest' });
  });
  for (const radio of document.querySelectorAll('[name=rate]')) radio.addEventListener('change', redraw);
  for (const button of document.querySelectorAll('[data-sort]')) {
    button.addEventListener('click', () => {
      sort = button.dataset.sort;
      for (const other of document.querySelectorAll('[data-sort]')) other.parentElement.setAttribute('aria-sort', other === button ? 'descending' : 'none');
      redraw();
    });
  }
  document.addEventListener('visibilitychange', look);
  addEventListener('hashchange', () => {
    const task = /^#task=(\d+)$/.exec(location.hash);
    if (task && task[1] !== opened.task) openTask(task[1]);
  });
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $('keys').open) return;
    const on = event.target;
    const types = on.matches('input, select, textarea');
    if (event.key === 'Escape') {
      if (on === $('q')) { if ($('q').value) { wanted.q = ''; $('q').value = ''; changed(); } else on.blur(); } else close();
      return;
    }
    if (types) {
      if (on === $('q') && (event.key === 'ArrowDown' || event.key === 'Enter')) {
        const first = document.querySelector('#table .open');
        if (first) { event.preventDefault(); first.focus(); }
      }
      return;
    }
    if (event.key === '/') { event.preventDefault(); $('q').focus(); $('q').select(); }
    else if (event.key === 'p') setPaused(!paused);
    else if (event.key === 'm') markNow();
    else if (event.key === '?') $('keys').showModal();
    else if ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && on.matches('#table .open, #list button')) {
      event.preventDefault();
      step(on, event.key === 'ArrowDown' ? 1 : -1);
    }
  });
  const first = /^#task=(\d+)$/.exec(location.hash);
  if (first) opened.task = first[1];
  look();
})();
