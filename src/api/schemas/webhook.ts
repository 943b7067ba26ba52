import Type, { type Static } from '#json-schema.ts'
import { time } from './common.ts'
import { NotificationShape } from './notification.ts'
import { TaskShape } from './task.ts'

/** The body of a webhook, a CloudEvent 1.0. `openapi.json` describes it to those who write a receiver. */

const ActionLinksShape = Type.Object(
  {
    complete: Type.String({ description: 'Completes the task' }),
    snooze: Type.String({ description: 'Snoozes it for an hour' }),
    acknowledge: Type.String({ description: 'Acknowledges the notification' }),
  },
  { description: 'Present if the server has a public URL. A GET shows a page with one button; only a POST acts' },
)

const item = {
  task: TaskShape,
  notification: Type.Omit(NotificationShape, ['deliveries', 'acknowledged_dt']),
  message: Type.String({ description: 'A sentence for people' }),
  links: Type.Optional(ActionLinksShape),
}

export const WebhookEventShape = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: Type.String({
      description:
        'The id of the notification, the same on every channel. The header `webhook-id` has the id of the delivery',
    }),
    source: Type.String(),
    type: Type.Enum(['task.expiring', 'task.expired'], {
      description: 'Whether the task has expired at the time of sending',
    }),
    subject: Type.String({ examples: ['tasks/42'] }),
    time: time('When the reminder fired'),
    datacontenttype: Type.Literal('application/json'),
    data: Type.Object({
      ...item,
      others: Type.Optional(
        Type.Array(Type.Object(item), {
          description: 'On a channel with group_wait: the other reminders of the group',
        }),
      ),
    }),
  },
  { $id: 'WebhookEvent', description: 'A CloudEvent 1.0 in the JSON format' },
)

export type WebhookEventWire = Static<typeof WebhookEventShape>
