using System.Runtime.InteropServices;

namespace TrainingSupervisor.Testing.Runtime;

/// <summary>The few system calls that .NET has no equal for, or that throw too slowly when a process is gone.</summary>
internal static partial class Libc
{
    public const int SigKill = 9;
    public const int SigTerm = 15;

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

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "read")]
    private static partial nint Read(int file, ref byte buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);
}
