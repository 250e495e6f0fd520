// The AI SDK, by way of its provider for OpenAI-compatible services.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { embedMany, generateText, isStepCount, Output, streamText, tool } from 'ai';
import { z } from 'zod';
import { asked, print } from './print.mjs';

const compatible = createOpenAICompatible({
  name: 'provider',
  baseURL: asked.base_url,
  apiKey: asked.api_key,
  supportsStructuredOutputs: true,
});
const patience = { maxRetries: 0, abortSignal: AbortSignal.timeout(asked.timeout) };
const settings = { model: compatible.chatModel(asked.model), ...patience };
const question = { ...settings, messages: asked.messages };
const trip = Output.object({ schema: z.object({ city: z.string(), nights: z.number().int().min(1).max(14) }) });
const getWeather = tool({
  description: 'The weather in a city.',
  inputSchema: z.object({ city: z.string() }),
  execute: async () => asked.weather,
});

// An error of a stream is told to onError, and the stream just ends.
async function streamed(options, read) {
  let failure;
  const result = streamText({ ...question, ...options, onError: ({ error }) => (failure = error) });
  const parts = [];
  for await (const part of read(result)) parts.push(part);
  if (failure) throw failure;
  return parts;
}

const cases = {
  chat: async () => (await generateText(question)).text,
  stream: () => streamed({}, (result) => result.textStream),
  completion: async () => {
    const model = compatible.completionModel(asked.model);
    return (await generateText({ ...patience, model, prompt: asked.beginning })).text;
  },
  embeddings: async () => {
    const model = compatible.embeddingModel(asked.embedding_model);
    return (await embedMany({ ...patience, model, values: asked.texts })).embeddings;
  },
  tools: async () => {
    const tools = { get_weather: getWeather };
    const messages = asked.weather_question;
    return (await generateText({ ...settings, messages, tools, stopWhen: isStepCount(3) })).text;
  },
  structured: async () => (await generateText({ ...question, output: trip })).output,
  structured_stream: async () => (await streamed({ output: trip }, (result) => result.partialOutputStream)).at(-1),
};

await print(cases, (error) => ({ name: error.name, status: error.statusCode ?? null }));
