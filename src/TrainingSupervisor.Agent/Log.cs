using System.Text;
using TrainingSupervisor.Agent.Native;

namespace TrainingSupervisor.Agent;

/// <summary>Single lines on stderr. Written by one system call: System.Console would take over terminal and signal handling.</summary>
internal static class Log
{
    internal static void Write(string message) =>
        WriteAll(2, Encoding.UTF8.GetBytes($"gang-agent: {message.ReplaceLineEndings(" ")}\n"));

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
            if (written <= 0)
                return; // Nobody reads our stderr; training goes on.
            bytes = bytes[(int)written..];
        }
    }
}
