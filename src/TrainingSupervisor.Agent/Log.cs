using System.Collections.Concurrent;
using System.Text;
using TrainingSupervisor.Agent.Native;

namespace TrainingSupervisor.Agent;

/// <summary>
/// Single lines on stderr. Written by one system call: System.Console would take over terminal and signal handling. And by a thread of its own:
/// where nobody reads the pipe any more, a node with a stuck disk for one, who says why a worker is ended must still end it.
/// </summary>
internal static class Log
{
    internal const int MostWaiting = 4096;

    private static readonly ConcurrentDictionary<string, string> Said = new(StringComparer.Ordinal);
    private static readonly BlockingCollection<byte[]> Waiting = new(MostWaiting);
    private static readonly ManualResetEventSlim Idle = new(true);
    private static readonly Lock Gate = new();
    private static int _unwritten;

    static Log() => new Thread(Loop) { IsBackground = true, Name = "log" }.Start();

    internal static void Write(string message)
    {
        lock (Gate)
        {
            // Lost if that many wait already: whatever blocks the log has long been said.
            if (!Waiting.TryAdd(Encoding.UTF8.GetBytes($"gang-agent: {Printable(message)}\n")))
                return;
            _unwritten++;
            Idle.Reset();
        }
    }

    /// <summary>Lets what was said be written, as far as that is possible within the limit.</summary>
    internal static void Flush(TimeSpan limit) => Idle.Wait(limit);

    /// <summary>For what goes on going wrong: one line until it is something else, or until it is over.</summary>
    internal static void WriteOnce(string subject, string message)
    {
        if (Said.TryGetValue(subject, out var before) && before == message)
            return;
        Said[subject] = message;
        Write(message);
    }

    /// <summary>It works now; says so if it had been said that it does not.</summary>
    internal static void WriteOver(string subject, string message)
    {
        if (Said.TryRemove(subject, out _))
            Write(message);
    }

    /// <summary>One line, and nothing that a terminal would obey: parts of it may come from a worker.</summary>
    internal static string Printable(string text) =>
        string.Create(text.Length, text, static (to, from) =>
        {
            for (var i = 0; i < to.Length; i++)
                to[i] = char.IsControl(from[i]) ? ' ' : from[i];
        });

    internal static void Print(string line) => WriteAll(1, Encoding.UTF8.GetBytes(line + "\n"));

    private static void Loop()
    {
        foreach (var line in Waiting.GetConsumingEnumerable())
        {
            WriteAll(2, line);
            lock (Gate)
            {
                if (--_unwritten == 0)
                    Idle.Set();
            }
        }
    }

    internal static unsafe void WriteAll(int fd, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            nint written;
            fixed (byte* p = bytes)
                written = Libc.Write(fd, p, (nuint)bytes.Length);
            if (written < 0 && System.Runtime.InteropServices.Marshal.GetLastPInvokeError() == Libc.Eintr)
                continue;
            if (written < 0 && System.Runtime.InteropServices.Marshal.GetLastPInvokeError() == Libc.Eagain)
            {
                // Somebody who shares the pipe has made it non-blocking; wait as a blocking one would.
#pragma warning disable RS0030 // It is a blocking write that waits here, in real time.
                Thread.Sleep(1);
#pragma warning restore RS0030
                continue;
            }

            if (written <= 0)
                return; // Nobody reads our stderr; training goes on.
            bytes = bytes[(int)written..];
        }
    }
}
