// NestJS gateways, driven by lines of JSON: commands on standard input, what happens on standard output.
//
// It ends when standard input does. The protocol is described in tests/tests/socketio_peers/servers/stock.rs.

import "reflect-metadata";
import { INestApplication, Inject, Type } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { IoAdapter } from "@nestjs/platform-socket.io";
import {
  Ack,
  MessageBody,
  OnGatewayConnection,
  OnGatewayDisconnect,
  OnGatewayInit,
  SubscribeMessage,
  WebSocketGateway,
  WsException,
  WsResponse,
} from "@nestjs/websockets";
import { setTimeout as sleep } from "node:timers/promises";
import { Namespace, Server, ServerOptions, Socket } from "socket.io";

const { say, obey } = require("../../interop/socketio-lines.cjs");
const { add, welcome, respond, commands } = require("../../interop/socketio-sockets.cjs");

type Answer = (...args: unknown[]) => void;
type Middleware = (socket: Socket, next: (error?: Error) => void) => void;

/** The server that a gateway belongs to, which all of its namespaces share. */
class Served {
  io?: Server;

  constructor(readonly id: number) {}
}

/** The events that a gateway handles as NestJS has it. The others are heard as they came, whatever their names. */
const HANDLED = new Set(["sum", "late", "silent", "twice", "report", "fail"]);

abstract class Gateway implements OnGatewayInit, OnGatewayConnection, OnGatewayDisconnect {
  private readonly goodbyes = new WeakMap<Socket, () => void>();

  constructor(@Inject(Served) private readonly served: Served) {}

  afterInit(namespace: Namespace): void {
    this.served.io = namespace.server;
  }

  handleConnection(client: Socket): void {
    const answers = (name: string, args: unknown[], answer: Answer) =>
      HANDLED.has(name) || respond(name, args, answer);
    const { tell, hear } = welcome(this.served.id, client, client.handshake.auth, answers);
    client.onAny((name, ...args) => hear(name, args));
    client.on("disconnect", (reason) => this.goodbyes.set(client, () => tell("leave", { reason })));
  }

  handleDisconnect(client: Socket): void {
    this.goodbyes.get(client)?.();
  }

  @SubscribeMessage("sum")
  sum(@MessageBody() [a, b]: [number, number]): number {
    return a + b;
  }

  @SubscribeMessage("late")
  async late(@MessageBody() millis: number): Promise<number> {
    await sleep(millis);
    return millis;
  }

  @SubscribeMessage("silent")
  silent(): void {}

  @SubscribeMessage("twice")
  twice(@MessageBody() number: number, @Ack() answer: Answer): void {
    answer(number);
    answer("again");
  }

  @SubscribeMessage("report")
  report(@MessageBody() data: unknown): WsResponse {
    return { event: "reported", data };
  }

  @SubscribeMessage("fail")
  fail(): void {
    throw new WsException("it cannot be done");
  }
}

/** A gateway of this namespace, which lets in whom the middleware lets in. */
function gateway(namespace: string, middleware?: Middleware): Type {
  @WebSocketGateway({ namespace })
  class Namespaced extends Gateway {
    afterInit(server: Namespace): void {
      super.afterInit(server);
      if (middleware) server.use(middleware);
    }
  }
  return Namespaced;
}

const guard: Middleware = (socket, next) => {
  if (socket.handshake.auth.token === "open") return next();
  next(Object.assign(new Error("not authorized"), { data: { code: 7, bytes: [1] } }));
};

const GATEWAYS = [
  gateway("/"),
  gateway("/chat"),
  gateway("/ünï 😀"),
  gateway("/guarded", guard),
  // Answers after a while.
  gateway("/slow", (_, next) => void setTimeout(next, 5000)),
];

/** Gives the server more options than its gateways name. */
class Adapter extends IoAdapter {
  constructor(
    app: INestApplication,
    private readonly options: Partial<ServerOptions>,
  ) {
    super(app);
  }

  createIOServer(port: number, options?: object): Server {
    return super.createIOServer(port, { ...options, ...this.options });
  }
}

class AppModule {}

async function open({ id, options, port }: any): Promise<void> {
  const served = new Served(id);
  const providers = [...GATEWAYS, { provide: Served, useValue: served }];
  const app = await NestFactory.create({ module: AppModule, providers }, { logger: ["error", "warn"] });
  app.useWebSocketAdapter(new Adapter(app, options));
  await app.init();
  add(id, served.io, () => void app.close());
  await app.listen(port ?? 0, "127.0.0.1");
  say({ id, event: "listening", port: app.getHttpServer().address().port });
}

obey({ ...commands, open });
