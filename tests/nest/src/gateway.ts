// A NestJS gateway as people write and configure it.

import "reflect-metadata";
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { IoAdapter } from "@nestjs/platform-socket.io";
import {
  ConnectedSocket,
  MessageBody,
  OnGatewayConnection,
  OnGatewayDisconnect,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
} from "@nestjs/websockets";
import { Namespace, Socket } from "socket.io";
import { obey, report, settings } from "./wire";

const { port, pingInterval, pingTimeout, tls } = settings();

@WebSocketGateway({ namespace: "devices", pingInterval, pingTimeout, cors: { origin: "*" } })
class DevicesGateway implements OnGatewayConnection, OnGatewayDisconnect {
  @WebSocketServer()
  server: Namespace;
  latest?: Socket;

  handleConnection(client: Socket): void {
    this.latest = client;
    report({ event: "open", sid: client.id, auth: client.handshake.auth });
    client.conn.on("packet", (packet) => {
      if (packet.type === "pong") report({ event: "pong", sid: client.id });
    });
    client.on("disconnect", (reason) => report({ event: "reason", sid: client.id, reason }));
  }

  handleDisconnect(client: Socket): void {
    report({ event: "handleDisconnect", sid: client.id });
  }

  @SubscribeMessage("reading")
  handleReading(@ConnectedSocket() client: Socket, @MessageBody() reading: unknown): void {
    report({ event: "event", sid: client.id, name: "reading", args: [reading] });
  }

  @SubscribeMessage("hello")
  handleHello(@MessageBody() hello: unknown): unknown {
    report({ event: "event", name: "hello", args: [hello] });
    return "noted";
  }
}

@Module({ providers: [DevicesGateway] })
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ["error", "warn"], httpsOptions: tls });
  app.useWebSocketAdapter(new IoAdapter(app));
  await app.listen(port, "127.0.0.1");
  const gateway = app.get(DevicesGateway);
  obey((order) => {
    const { name, args = [] } = order as any;
    switch (order.do) {
      case "emit":
        return void gateway.server.emit(name, ...args);
      case "ask":
        return void gateway.latest
          ?.timeout(5000)
          .emitWithAck(name, ...args)
          .then(
            (answer) => report({ event: "ack", answer }),
            (error) => report({ event: "ack", error: String(error) }),
          );
      case "close":
        return void gateway.latest?.disconnect(true);
      default:
        throw new Error(`unknown order ${order.do}`);
    }
  });
  report({ event: "listening", port: app.getHttpServer().address().port });
}

void main();
