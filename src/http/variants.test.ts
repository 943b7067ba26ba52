import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTask, createTasks } from '#api/tasks.ts'
import { variantFor, withVariants } from './variants.ts'

const schemas = [{ required: ['title'] }, { required: ['tasks', 'more'] }, {}]

test('a body is for the variant whose first required member it has, and any other for the first', () => {
  for (const [body, expected] of [
    [{ tasks: 1 }, 1],
    [{ title: 'x', tasks: [] }, 1],
    [{ more: 1 }, 0],
    [{ title: 'x' }, 0],
    [{}, 0],
    [[], 0],
    ['tasks', 0],
    [null, 0],
    [undefined, 0],
  ] as const)
    assert.equal(variantFor(schemas, body), expected, JSON.stringify(body))
  assert.equal(variantFor([{ required: ['tasks'] }], { tasks: [] }), 0, 'where there is only one')
})

test('the route of an operation and its variant takes both bodies, and answers as either', () => {
  const { id, body, response, description, problems } = withVariants(createTask, [createTasks])
  assert.equal(id, 'createTask')
  assert.deepEqual(body, { oneOf: [createTask.body, createTasks.body] })
  assert.deepEqual(response, {
    anyOf: [...((createTask.response as { anyOf?: object[] }).anyOf ?? []), createTasks.response],
  })
  assert.equal(description, `${createTask.description}\n\n${createTasks.description}`)
  assert.deepEqual(problems, ['conflict'])
  assert.equal(withVariants(createTask, []), createTask)
})

test('a list of more than 100 drafts is large, whatever else the body is', () => {
  const { isLarge = assert.fail() } = withVariants(createTask, [createTasks])
  const draft = { title: 'x' }
  assert.equal(isLarge({}, { tasks: Array(101).fill(draft) }), true)
  const text = { text: 'x' }
  assert.equal(
    isLarge({}, { tasks: [...Array(20).fill(draft), ...Array(3).fill(text)] }),
    true,
    'a text counts as 30 more',
  )
  assert.equal(isLarge({}, { tasks: Array(3).fill(text) }), false)
  for (const body of [{ tasks: Array(100).fill(draft) }, draft, { tasks: 'x'.repeat(200) }, [], null, undefined, 'x'])
    assert.equal(isLarge({}, body), false)
})
