import { computed } from '@preact/signals'
import { useRef } from 'preact/hooks'
import type { TaskWire } from '#api/schemas/task.ts'
import { saveTask } from '../../state/task.ts'
import { tasks } from '../../state/tasks.ts'
import { taskText } from '../../text/task.ts'
import { Icon } from '../../ui/icons.tsx'

interface FieldProps {
  readonly task: TaskWire
  readonly shown: TaskWire
}

/** The tags of all known tasks, to choose from. */
const knownTags = computed(() => [...new Set([...tasks.value.values()].flatMap(({ tags }) => tags))].sort())

/** Enter or a comma adds a tag; Backspace in the empty field removes the last one. */
export function Tags({ task, shown: { tags } }: FieldProps) {
  const input = useRef<HTMLInputElement>(null)
  const add = () => {
    const field = input.current as HTMLInputElement
    const tag = field.value.trim().replace(/^#/, '')
    field.value = ''
    if (tag !== '' && !tags.includes(tag)) saveTask(task, { tags: [...tags, tag] })
  }
  const remove = (tag: string) => saveTask(task, { tags: tags.filter((other) => other !== tag) })
  return (
    <div class="field">
      <span id="task-tags">{taskText.members.tags}</span>
      <ul class="chips" aria-labelledby="task-tags">
        {tags.map((tag) => (
          <li class="chip" key={tag}>
            <bdi>{tag}</bdi>
            <button
              type="button"
              aria-label={taskText.removeTag(tag)}
              onClick={() => {
                remove(tag)
                input.current?.focus()
              }}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
        <li class="new-tag">
          <input
            class="in auto quiet"
            type="text"
            list="task-known-tags"
            maxLength={50}
            aria-label={taskText.addTag}
            placeholder={taskText.addTag}
            ref={input}
            onBlur={add}
            onKeyDown={(event) => {
              if (event.isComposing) return
              if (event.key === 'Enter' || event.key === ',') {
                event.preventDefault()
                add()
              }
              // Escape leaves the field, which would add it.
              if (event.key === 'Escape') event.currentTarget.value = ''
              const last = tags.at(-1)
              if (event.key === 'Backspace' && event.currentTarget.value === '' && last !== undefined) remove(last)
            }}
          />
          <datalist id="task-known-tags">
            {knownTags.value
              .filter((tag) => !tags.includes(tag))
              .map((tag) => (
                <option key={tag} value={tag} />
              ))}
          </datalist>
        </li>
      </ul>
    </div>
  )
}

const priorities = ['none', 'low', 'medium', 'high'] as const

export function Priority({ task, shown }: FieldProps) {
  return (
    <div class="field">
      <span aria-hidden="true">{taskText.members.priority}</span>
      <fieldset class="seg">
        <legend class="vh">{taskText.members.priority}</legend>
        {priorities.map((priority) => (
          <label key={priority}>
            <input
              type="radio"
              name="task-priority"
              checked={shown.priority === priority}
              onChange={() => saveTask(task, { priority })}
            />
            {taskText.priorities[priority]}
          </label>
        ))}
      </fieldset>
    </div>
  )
}
