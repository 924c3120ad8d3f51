using System.Collections.Concurrent;
using System.Text;
using TrainingSupervisor.Agent.Native;

namespace TrainingSupervisor.Agent;

/// <summary>Single lines on stderr. Written by one system call: System.Console would take over terminal and signal handling.</summary>
internal static class Log
{
    private static readonly ConcurrentDictionary<string, string> Said = new(StringComparer.Ordinal);

    internal static void Write(string message) => WriteAll(2, Encoding.UTF8.GetBytes($"gang-agent: {Printable(message)}\n"));

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
