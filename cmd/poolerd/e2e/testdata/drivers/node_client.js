// node-postgres. What the lines that it prints mean, and its arguments, are
// harness.py's. NODE_PATH must lead to the packages of package.json.
'use strict'

const assert = require('node:assert')
const fs = require('node:fs')
const path = require('node:path')
const { Readable, pipeline: streams } = require('node:stream')
const { promisify } = require('node:util')
const { Client, Pool } = require('pg')
const Cursor = require('pg-cursor')
const copy = require('pg-copy-streams')

const LIMIT = 30_000
const [host, port, database, user, wanted] = process.argv.slice(2)
const target = { host, port: Number(port), database, user, ssl: process.env.PGSSLMODE === 'require' && { rejectUnauthorized: false }, connectionTimeoutMillis: 10_000 }

// parse returns [{name, steps}]; a step is {line, text} or {count, steps}.
function parse(text) {
  const behaviours = []
  let stack = []
  text.split('\n').forEach((line, i) => {
    line = line.trimEnd()
    if (!line || line.startsWith('#')) return
    const top = stack[stack.length - 1]
    if (line.startsWith('== ')) {
      stack = [[]]
      behaviours.push({ name: line.slice(3), steps: stack[0] })
    } else if (line.startsWith('repeat ')) {
      const steps = []
      top.push({ count: Number(line.slice(7)), steps })
      stack.push(steps)
    } else if (line === 'end') stack.pop()
    else top.push({ line: i + 1, text: line })
  })
  return behaviours
}

function cut(text, mark) {
  const i = text.lastIndexOf(mark)
  return i < 0 ? [text] : [text.slice(0, i), text.slice(i + mark.length).trim()]
}

// Connections are the clients of one behaviour.
class Connections {
  constructor() {
    this.all = []
  }

  async open(settings = {}, more = {}) {
    const options = Object.entries(settings).map(([k, v]) => `-c ${k}=${v}`).join(' ')
    const client = new Client({ ...target, options, ...more })
    client.on('error', () => {})
    client.heard = []
    client.notices = []
    client.told = {}
    client.names = new Map()
    client.on('notification', ({ channel, payload }) => client.heard.push([channel, payload]))
    client.on('notice', ({ message }) => client.notices.push(message))
    client.connection.on('parameterStatus', ({ parameterName, parameterValue }) => (client.told[parameterName] = parameterValue))
    this.all.push(client)
    await client.connect()
    return client
  }

  abandon() {
    for (const client of this.all) client.connection.stream.destroy()
  }
}

// Script carries out one behaviour of behaviours.txt.
class Script {
  constructor(connections) {
    this.connections = connections
    this.named = {}
    this.allowed = 0
  }

  async play(steps, turn = 0) {
    for (const step of steps) {
      for (let i = 1; i <= (step.count ?? 0); i++) await this.play(step.steps, i)
      if (step.count) continue
      const text = step.text.replaceAll('%i', turn).replaceAll('%d', database)
      try {
        await this.step(text)
      } catch (error) {
        error.message = `line ${step.line}: ${text}: ${error.message}`
        throw error
      }
    }
  }

  async conn(name) {
    return (this.named[name] ??= await this.connections.open())
  }

  async step(text) {
    const [, name, kind, rest] = /^(\w+)([:*~]?) (.*)$/.exec(text)
    if (kind) return this.statement(await this.conn(name), kind, rest)
    const [, verb, argument] = /^(\w+) ?(.*)$/.exec(rest)
    if (verb === 'open') {
      this.named[name] = await this.connections.open(Object.fromEntries(argument.split(' ').map((part) => part.split(/=(.*)/))))
    } else if (verb === 'close') {
      const client = this.named[name]
      delete this.named[name]
      await client.end()
    } else if (verb === 'silent') {
      assert.deepStrictEqual((await this.conn(name)).heard, [])
    } else {
      const [, channel, payload] = /^(\w+) ?(.*)$/.exec(argument)
      await hear(await this.conn(name), channel, payload, verb === 'hears' ? 5000 : 0)
    }
  }

  async statement(client, kind, rest) {
    let params, want, codes
    ;[rest, codes] = cut(rest, ' !!')
    ;[rest, want] = cut(rest, ' =>')
    ;[rest, params] = cut(rest, ' <-')
    const query = { text: rest, values: params?.split(' | '), rowMode: 'array' }
    if (kind === '*') {
      if (!client.names.has(rest)) client.names.set(rest, String(client.names.size))
      query.name = client.names.get(rest)
    }
    let result
    try {
      result = await client.query(query)
    } catch (error) {
      if (!codes?.split('|').includes(error.code)) throw error
      if (want !== undefined) this.allowed++
      return
    }
    const got = (result.rows ?? []).map(([value]) => (value === null ? 'NULL' : String(value))).join(',')
    if (want !== undefined) assert.strictEqual(got, want)
    else assert(codes === undefined, `no error, but ${got}`)
  }
}

async function hear(client, channel, payload, wait) {
  const end = Date.now() + wait
  while (!client.heard.length && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 3))
  assert(client.heard.length, 'heard nothing')
  const got = client.heard.shift()
  if (payload.startsWith('length ')) got[1] = `length ${got[1].length}`
  assert.deepStrictEqual(got, [channel, payload])
}

async function value(client, text, values, name) {
  const { rows } = await client.query({ text, values, name, rowMode: 'array' })
  return rows[0]?.[0]
}

const rejects = (promise, code) => assert.rejects(promise, { code })

const own = {
  async '200 statements prepared under names'(c) {
    const [a, b] = [await c.open(), await c.open()]
    for (let turn = 0; turn < 3; turn++) {
      for (let n = 0; n < 200; n++) {
        assert.strictEqual(await value(a, `SELECT $1::int * 1000 + ${n}`, [turn], `s${n}`), turn * 1000 + n)
        assert.strictEqual(await value(b, `SELECT $1::int * -1000 - ${n}`, [turn], `s${n}`), 0 - turn * 1000 - n)
      }
    }
  },

  async 'one name, two texts'(c) {
    const [a, b] = [await c.open(), await c.open()]
    for (let turn = 0; turn < 20; turn++) {
      assert.strictEqual(await value(a, "SELECT 'a' || $1::text", [turn], 'same'), `a${turn}`)
      assert.strictEqual(await value(b, "SELECT 'b' || $1::text || 'b'", [turn], 'same'), `b${turn}b`)
    }
  },

  async 'COPY in, 10,000 rows'(c) {
    const a = await c.open()
    await a.query('CREATE TABLE copied (n int, t text)')
    const rows = Array.from({ length: 10_000 }, (_, n) => `${n}\trow ${n}\n`)
    await promisify(streams)(Readable.from(rows), a.query(copy.from('COPY copied FROM STDIN')))
    assert.deepStrictEqual((await a.query('SELECT count(*)::int AS n, sum(n)::int AS sum FROM copied')).rows, [{ n: 10_000, sum: 49_995_000 }])
    await a.query('DROP TABLE copied')
  },

  async 'COPY out, 10,000 rows'(c) {
    const a = await c.open()
    let text = ''
    for await (const part of a.query(copy.to("COPY (SELECT n, repeat('x', 500) FROM generate_series(1, 10000) AS n) TO STDOUT"))) text += part
    assert.strictEqual(text.split('\n').length, 10_001)
    assert.strictEqual(await value(a, 'SELECT 1'), 1)
  },

  async 'COPY in fails at a row'(c) {
    const a = await c.open()
    await a.query('CREATE TABLE half (n int CHECK (n < 5000))')
    for (let i = 0; i < 3; i++) {
      const rows = Array.from({ length: 10_000 }, (_, n) => `${n}\n`)
      await rejects(promisify(streams)(Readable.from(rows), a.query(copy.from('COPY half FROM STDIN'))), '23514')
      assert.strictEqual(await value(a, 'SELECT count(*)::int FROM half'), 0)
    }
    await a.query('DROP TABLE half')
  },

  async 'COPY in given up by the client'(c) {
    const a = await c.open()
    await a.query('CREATE TABLE half (n int)')
    const broken = async function* () {
      for (let n = 0; n < 1000; n++) yield `${n}\n`
      throw new Error('given up')
    }
    await assert.rejects(promisify(streams)(Readable.from(broken()), a.query(copy.from('COPY half FROM STDIN'))), /given up/)
    assert.strictEqual(await value(a, 'SELECT count(*)::int FROM half'), 0)
    await a.query('DROP TABLE half')
  },

  async 'COPY into a temporary table over transactions'(c) {
    const [a, b] = [await c.open(), await c.open()]
    for (const client of [a, b]) await client.query('CREATE TEMP TABLE props (n int)')
    for (let i = 0; i < 5; i++) {
      for (const [client, width] of [[a, 100], [b, 50]]) {
        await promisify(streams)(Readable.from(Array(width).fill('7\n')), client.query(copy.from('COPY props FROM STDIN')))
      }
    }
    assert.strictEqual(await value(a, 'SELECT count(*)::int FROM props'), 500)
    assert.strictEqual(await value(b, 'SELECT count(*)::int FROM props'), 250)
  },

  async 'cancel a query'(c) {
    const [a, b] = [await c.open(), await c.open()]
    for (let i = 0; i < 2; i++) {
      // node-postgres has no call for it in its API; its Client carries out the request on a connection of its own.
      const query = a.query('SELECT pg_sleep(20)')
      const begin = Date.now()
      setTimeout(() => {
        const { processID, secretKey } = a
        const socket = require('node:net').connect(target.port, target.host, () => {
          const message = Buffer.alloc(16)
          ;[16, 80877102, processID, secretKey].forEach((n, i) => message.writeInt32BE(n, i * 4))
          socket.end(message)
        })
        socket.on('error', () => {})
      }, 300)
      await rejects(query, '57014')
      assert(Date.now() - begin < 3000, 'the cancel took more than 3 s')
      assert.strictEqual(await value(a, 'SELECT 1'), 1)
      assert.strictEqual(await value(b, 'SELECT 2'), 2)
    }
  },

  async 'transactions of the driver'(c) {
    const [a, b] = [await c.open(), await c.open()]
    await b.query('CREATE TABLE moves (n int)')
    for (let n = 0; n < 6; n++) {
      await a.query('BEGIN')
      await a.query('INSERT INTO moves VALUES ($1)', [n])
      assert.strictEqual(await value(b, 'SELECT count(*)::int FROM moves'), Math.floor(n / 2))
      await a.query(n % 2 ? 'COMMIT' : 'ROLLBACK')
    }
    await b.query('DROP TABLE moves')
  },

  // Handed over before the first has its answer; node-postgres sends each when the one before is done.
  async 'queries in a queue, one with an error'(c) {
    const a = await c.open()
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => a.query({ name: `q${n % 7}`, text: `SELECT 10 / ($1::int - ${n % 7}) AS n`, values: [n % 7 === 3 ? 3 : 100] }))
    )
    results.forEach((result, n) => assert.strictEqual(result.reason?.code, n % 7 === 3 ? '22012' : undefined))
    assert.strictEqual(await value(a, 'SELECT 1'), 1)
  },

  async 'server-side cursor'(c) {
    const a = await c.open()
    for (let turn = 0; turn < 3; turn++) {
      await a.query('BEGIN')
      const cursor = a.query(new Cursor('SELECT n FROM generate_series(1, 1000) AS n WHERE n > $1', [turn]))
      let sum = 0
      for (let rows; (rows = await cursor.read(100)).length; ) for (const { n } of rows) sum += n
      assert.strictEqual(sum, 500_500 - (turn * (turn + 1)) / 2)
      await cursor.close()
      await a.query('COMMIT')
    }
  },

  async 'rows left unread'(c) {
    const a = await c.open()
    for (let turn = 0; turn < 3; turn++) {
      const cursor = a.query(new Cursor("SELECT n, repeat('x', 100) FROM generate_series(1, 5000) AS n"))
      assert.strictEqual((await cursor.read(10)).length, 10)
      await cursor.close()
      assert.strictEqual(await value(a, "SELECT 'goes on'"), 'goes on')
    }
  },

  async '1 MB parameter'(c) {
    const a = await c.open()
    for (const name of [undefined, 'large', 'large']) {
      assert.strictEqual(await value(a, 'SELECT md5($1::text)', ['é'.repeat(500_000)], name), await value(a, "SELECT md5(repeat('é', 500000))"))
    }
  },

  async '20 MB parameter and result'(c) {
    const a = await c.open()
    const data = require('node:crypto').randomBytes(1 << 20)
    const large = Buffer.concat(Array(20).fill(data))
    assert(large.equals(await value(a, 'SELECT $1::bytea', [large])), '20 MB came back changed')
  },

  async notices(c) {
    const [a, b] = [await c.open(), await c.open()]
    for (const [client, tag] of [[a, 'a'], [b, 'b']]) {
      await client.query(`DO $$ BEGIN RAISE NOTICE 'to ${tag}'; RAISE WARNING 'also ${tag}'; END $$`)
      await client.query('SET client_min_messages = warning')
      await client.query("DO $$ BEGIN RAISE NOTICE 'never'; END $$")
    }
    assert.deepStrictEqual([a.notices, b.notices], [['to a', 'also a'], ['to b', 'also b']])
  },

  async 'settings that the driver is told of'(c) {
    const [a, b] = [await c.open(), await c.open({}, { application_name: 'from-the-start' })]
    const zones = (...want) => assert.deepStrictEqual([a.told.TimeZone, b.told.TimeZone], want)
    zones('UTC', 'UTC')
    assert.strictEqual(b.told.application_name, 'from-the-start')
    await a.query("SET TimeZone = 'Europe/Berlin'")
    for (let i = 0; i < 10; i++) {
      assert.deepStrictEqual([await value(a, 'SHOW TimeZone'), await value(b, 'SHOW TimeZone')], ['Europe/Berlin', 'UTC'])
      zones('Europe/Berlin', 'UTC')
    }
    await a.query('BEGIN')
    await a.query("SET TimeZone = 'Asia/Tokyo'")
    zones('Asia/Tokyo', 'UTC')
    await a.query('ROLLBACK')
    zones('Europe/Berlin', 'UTC')
    await a.query('RESET ALL')
    zones('UTC', 'UTC')
  },

  // Settings that node-postgres sends at startup by these names.
  async 'limits of the driver'(c) {
    const a = await c.open({}, { statement_timeout: 63_000, lock_timeout: 64_000, idle_in_transaction_session_timeout: 65_000 })
    const b = await c.open()
    for (let i = 0; i < 10; i++) {
      assert.strictEqual(await value(a, 'SHOW statement_timeout'), '63s')
      assert.strictEqual(await value(a, 'SHOW lock_timeout'), '64s')
      assert.strictEqual(await value(a, 'SHOW idle_in_transaction_session_timeout'), '65s')
      assert.strictEqual(await value(b, 'SHOW statement_timeout'), '0')
    }
  },

  async 'several results of one query'(c) {
    const a = await c.open()
    const results = await a.query("SELECT 1 AS n; SELECT 2 AS n WHERE false; SELECT 3 AS n")
    assert.deepStrictEqual(results.map((r) => r.rows), [[{ n: 1 }], [], [{ n: 3 }]])
    await rejects(a.query("INSERT INTO kept (v) VALUES ('undone'); SELECT 1 / 0; SELECT 3"), '22012')
    assert.strictEqual(await value(a, "SELECT count(*)::int FROM kept WHERE v = 'undone'"), 0)
  },

  async 'pool of the driver'() {
    const pool = new Pool({ ...target, max: 8 })
    const one = async (n) => {
      const client = await pool.connect()
      try {
        await client.query(`SET my.n = '${n}'`)
        assert.strictEqual(await value(client, "SELECT current_setting('my.n')"), String(n))
        assert.strictEqual(await value(client, 'SELECT $1::int + 1', [n], 'next'), n + 1)
      } finally {
        client.release()
      }
    }
    await Promise.all(Array.from({ length: 100 }, (_, n) => one(n)))
    await pool.end()
  },
}

async function attempt(show) {
  const connections = new Connections()
  const result = { ok: true, detail: '', allowed: 0 }
  let timer
  try {
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`no end after ${LIMIT / 1000} s`)), LIMIT)))
    await Promise.race([show(connections, result), late])
  } catch (error) {
    Object.assign(result, { ok: false, detail: `${error.code ?? error.name} ${error.message}`.replace(/\s+/g, ' ').slice(0, 400), where: error.stack })
  }
  clearTimeout(timer)
  connections.abandon()
  return result
}

async function main() {
  process.on('unhandledRejection', () => {}) // what a behaviour given up still waits for
  const todo = parse(fs.readFileSync(path.join(__dirname, 'behaviours.txt'), 'utf8')).map(({ name, steps }) => [
    name,
    async (connections, result) => {
      const script = new Script(connections)
      await script.play(steps).finally(() => (result.allowed = script.allowed))
    },
  ])
  for (const [name, show] of [...todo, ...Object.entries(own)]) {
    if (!new RegExp(wanted ?? '').test(name)) continue
    console.log(JSON.stringify({ behaviour: name, ...(await attempt(show)) }))
  }
}

main()
  .catch((error) => {
    console.error(error)
    process.exitCode = 1
  })
  .finally(() => process.exit())
