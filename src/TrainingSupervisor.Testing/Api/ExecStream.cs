using System.Net.WebSockets;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>One WebSocket of exec: each message begins with the number of a channel.</summary>
internal sealed class ExecStream(WebSocket socket, ExecOptions options, CancellationToken aborted) : IDisposable
{
    private const byte Input = 0, Output = 1, Error = 2, Status = 3, CloseChannel = 255;

    private static readonly TimeSpan s_goodbye = TimeSpan.FromSeconds(2);
    private readonly SemaphoreSlim _sending = new(1, 1);

    /// <summary>Runs until the command has ended, or the client has gone: then the command is killed.</summary>
    public async Task RunAsync(IAttachedCommand? command, Exception? failure)
    {
        // An empty message tells the client that the stream is there.
        await SendAsync(options.Output ? Output : options.Error ? Error : Status, default).ConfigureAwait(false);
        if (!options.Input && command is not null)
        {
            await command.Input.DisposeAsync().ConfigureAwait(false);
        }

        var reading = ReadAsync(command);
        if (command is null)
        {
            await SendAsync(Status, Json.Bytes(ExecHandler.NotStarted(failure!.Message))).ConfigureAwait(false);
        }
        else
        {
            var running = Task.WhenAll(PumpAsync(command.Output, options.Output ? Output : null), PumpAsync(command.Error, options.Error ? Error : null), command.Exited);
            if (await Task.WhenAny(running, reading).ConfigureAwait(false) == reading)
            {
                command.Kill();
                await command.Exited.ConfigureAwait(false);
                await reading.ConfigureAwait(false);
                return;
            }

            await running.ConfigureAwait(false);
            await SendAsync(Status, Json.Bytes(ExecHandler.Ended(await command.Exited.ConfigureAwait(false)))).ConfigureAwait(false);
        }

        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, aborted).ConfigureAwait(false);

        // What the client still sends must be read, or the connection's end would take our last words from it.
        await Task.WhenAny(reading, Task.Delay(s_goodbye, TimeProvider.System, aborted)).ConfigureAwait(false);
    }

    public void Dispose() => _sending.Dispose();

    private async Task PumpAsync(Stream from, byte? channel)
    {
        var buffer = new byte[16 * 1024];
        while (await from.ReadAsync(buffer, aborted).ConfigureAwait(false) is var count and > 0)
        {
            if (channel is { } to)
            {
                await SendAsync(to, buffer.AsMemory(0, count)).ConfigureAwait(false);
            }
        }
    }

    private async Task SendAsync(byte channel, ReadOnlyMemory<byte> content)
    {
        var message = new byte[content.Length + 1];
        message[0] = channel;
        content.CopyTo(message.AsMemory(1));
        await _sending.WaitAsync(aborted).ConfigureAwait(false);
        try
        {
            await socket.SendAsync(message, WebSocketMessageType.Binary, endOfMessage: true, aborted).ConfigureAwait(false);
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Completes when the client has closed the socket, and not otherwise.</summary>
    private async Task ReadAsync(IAttachedCommand? command)
    {
        var buffer = new byte[16 * 1024];
        byte? channel = null;
        while (true)
        {
            var message = await socket.ReceiveAsync(buffer.AsMemory(), aborted).ConfigureAwait(false);
            if (message.MessageType == WebSocketMessageType.Close)
            {
                return;
            }

            var content = buffer.AsMemory(0, message.Count);
            if (channel is null && content.Length > 0)
            {
                (channel, content) = (content.Span[0], content[1..]);
            }

            await TakeAsync(command, channel, content).ConfigureAwait(false);
            channel = message.EndOfMessage ? null : channel;
        }
    }

    /// <summary>Input, and the end of input. A terminal's new size has nobody here who would look at it.</summary>
    private async Task TakeAsync(IAttachedCommand? command, byte? channel, ReadOnlyMemory<byte> content)
    {
        if (command is null || !options.Input)
        {
            return;
        }

        try
        {
            if (channel == Input)
            {
                await command.Input.WriteAsync(content, aborted).ConfigureAwait(false);
                await command.Input.FlushAsync(aborted).ConfigureAwait(false);
            }
            else if (channel == CloseChannel && content.Span is [Input])
            {
                await command.Input.DisposeAsync().ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The command does not read any more.
        }
    }
}
