// openai: the official package for JavaScript.
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { asked, print } from './print.mjs';

const { model, messages } = asked;
const client = new OpenAI({
  baseURL: asked.base_url,
  apiKey: asked.api_key,
  maxRetries: 0,
  timeout: asked.timeout,
});
const trip = zodResponseFormat(z.object({ city: z.string(), nights: z.number().int().min(1).max(14) }), 'Trip');
const tool = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather in a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    parse: JSON.parse,
    function: () => asked.weather,
  },
};

const cases = {
  async chat() {
    const reply = await client.chat.completions.create({ model, messages });
    return reply.choices[0].message.content;
  },
  async stream() {
    const pieces = [];
    for await (const chunk of await client.chat.completions.create({ model, messages, stream: true }))
      pieces.push(chunk.choices?.[0]?.delta.content ?? '');
    return pieces;
  },
  async completion() {
    return (await client.completions.create({ model, prompt: asked.beginning })).choices[0].text;
  },
  async embeddings() {
    const reply = await client.embeddings.create({ model: asked.embedding_model, input: asked.texts });
    return reply.data.map((item) => item.embedding);
  },
  async tools() {
    const runner = client.chat.completions.runTools({ model, messages: asked.weather_question, tools: [tool] });
    return await runner.finalContent();
  },
  async structured() {
    const reply = await client.chat.completions.parse({ model, messages, response_format: trip });
    return reply.choices[0].message.parsed;
  },
  async structured_stream() {
    const stream = client.chat.completions.stream({ model, messages, response_format: trip });
    return (await stream.finalChatCompletion()).choices[0].message.parsed;
  },
};

await print(cases, (error) => ({
  name: error instanceof OpenAI.OpenAIError ? `openai.${error.constructor.name}` : error.name,
  status: error.status ?? null,
}));
