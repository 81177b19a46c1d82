// node-postgres as applications use it: named statements, transactions, errors,
// many clients on few servers. The first argument is the connection string; NODE_PATH
// must lead to the package pg.
'use strict'

const assert = require('node:assert')
const { Client, Pool, types } = require('pg')

const connectionString = process.argv[2]
const CLIENTS = 30
const ROUNDS = 40

// All clients give the same names to statements of their own.
async function named(client, tag, round) {
  const name = String(round % 5)
  const { rows } = await client.query({ name, text: `SELECT '${tag}/${name}' AS tag, $1::int AS n`, values: [round] })
  assert.deepStrictEqual(rows, [{ tag: `${tag}/${name}`, n: round }])
}

async function unnamed(client, tag, round) {
  const { rows } = await client.query('SELECT $1::text || $2::text AS tag, $3::jsonb AS j', [tag, round, { tag, round }])
  assert.deepStrictEqual(rows, [{ tag: tag + round, j: { tag, round } }])
}

async function simple(client, tag, round) {
  const results = await client.query(`SELECT '${tag}' AS tag; SELECT ${round} AS n`)
  assert.deepStrictEqual(results.map((r) => r.rows), [[{ tag }], [{ n: round }]])
}

async function transaction(client, tag, round) {
  await client.query('BEGIN')
  await client.query("SELECT set_config('smoke.tag', $1, true)", [tag])
  const { rows } = await client.query("SELECT current_setting('smoke.tag') AS tag")
  assert.strictEqual(rows[0].tag, tag)
  await assert.rejects(client.query(`SELECT '${tag}'::int`), (e) => e.code === '22P02' && e.message.includes(tag))
  await assert.rejects(client.query('SELECT 1'), { code: '25P02' })
  await client.query(round % 2 ? 'ROLLBACK' : 'COMMIT')
}

// Queries handed over before the first has its answer.
async function queued(client, tag) {
  const results = await Promise.all([0, 1, 2, 3].map((i) => client.query('SELECT $1::text AS tag', [tag + i])))
  assert.deepStrictEqual(results.map((r) => r.rows[0].tag), [0, 1, 2, 3].map((i) => tag + i))
}

async function client(number) {
  const tag = `node-${number}`
  const client = new Client({ connectionString, application_name: tag })
  await client.connect()
  for (let round = 0; round < ROUNDS; round++) {
    for (const step of [named, unnamed, simple, transaction, queued]) await step(client, tag, round)
  }
  const { rows } = await client.query("SELECT current_setting('application_name') AS name")
  assert.strictEqual(rows[0].name, tag)
  await client.end()
}

async function pooled() {
  const pool = new Pool({ connectionString, max: 10 })
  const rows = await Promise.all(Array.from({ length: 200 }, (_, i) => pool.query({ name: 'same', text: 'SELECT $1::int AS i', values: [i] })))
  assert.deepStrictEqual(rows.map((r) => r.rows[0].i), Array.from({ length: 200 }, (_, i) => i))
  await pool.end()
}

async function main() {
  assert.strictEqual(types.getTypeParser(23)('5'), 5)
  await Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(i)))
  await pooled()
  console.log('node-postgres', process.version, 'ok')
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
