using System.Runtime.InteropServices;

namespace TrainingSupervisor.Testing.Runtime;

/// <summary>The few system calls that .NET has no equal for, or that throw too slowly when a process is gone.</summary>
internal static partial class Libc
{
    public const int SigKill = 9;
    public const int SigTerm = 15;

    private const int Interrupted = 4;
    private const int ProcessById = 1;
    private const int WaitNoHang = 1, WaitExited = 4, WaitNoReap = 0x01000000;

    [LibraryImport("libc", EntryPoint = "kill")]
    public static partial int Kill(int pid, int signal);

    /// <summary>File.Move looks through links; this moves the link itself, over another.</summary>
    [LibraryImport("libc", EntryPoint = "rename", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Rename(string from, string to);

    /// <summary>Reads a file of /proc; returns how many bytes, and 0 when it cannot be read.</summary>
    public static int ReadSmallFile(string path, ref byte[] buffer)
    {
        var file = Open(path, 0);
        if (file < 0)
        {
            return 0;
        }

        try
        {
            var length = 0;
            while (true)
            {
                if (length == buffer.Length)
                {
                    Array.Resize(ref buffer, buffer.Length * 2);
                }

                var read = Read(file, ref buffer[length], (nuint)(buffer.Length - length));
                if (read <= 0)
                {
                    return length;
                }

                length += (int)read;
            }
        }
        finally
        {
            _ = Close(file);
        }
    }

    /// <summary>True once a child has ended; its number stays taken until <see cref="Reap"/>.</summary>
    public static unsafe bool HasEnded(int pid)
    {
        // A siginfo_t has 128 bytes and begins with the signal's number, which stays 0 while the child lives.
        var info = stackalloc int[32];
        new Span<int>(info, 32).Clear();
        // An error means that somebody else has reaped it: .NET does where SIGCHLD was ignored from the start.
        return WaitId(ProcessById, pid, info, WaitExited | WaitNoHang | WaitNoReap) != 0 || info[0] != 0;
    }

    /// <summary>Takes the exit code of a child that has ended, and frees its number: 128 + signal for one that was killed.</summary>
    public static int Reap(int pid)
    {
        int status;
        while (WaitPid(pid, out status, 0) < 0)
        {
            if (Marshal.GetLastPInvokeError() != Interrupted)
            {
                return 255;
            }
        }

        return (status & 0x7F) == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F);
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "read")]
    private static partial nint Read(int file, ref byte buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);

    [LibraryImport("libc", EntryPoint = "waitid")]
    private static unsafe partial int WaitId(int kind, int id, int* info, int options);

    [LibraryImport("libc", EntryPoint = "waitpid", SetLastError = true)]
    private static partial int WaitPid(int pid, out int status, int options);
}
