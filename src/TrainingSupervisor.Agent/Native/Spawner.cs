using System.Runtime.InteropServices;

namespace TrainingSupervisor.Agent.Native;

/// <summary>Starts a program in a session of its own, with default signal handling, no stdin, and a pipe for stderr, or for stdout as well.</summary>
internal static class Spawner
{
    // glibc's posix_spawnattr_t has 336 bytes and sigset_t 128, musl's are no larger; room to spare costs nothing.
    private const int AttrSize = 1024, ActionsSize = 1024, SetSize = 256;

    /// <summary>Returns 0 and the process id, or the errno of what went wrong.</summary>
    internal static unsafe int Spawn(IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, int stderrFd, out int pid, int stdoutFd = -1)
    {
        byte* attr = stackalloc byte[AttrSize], actions = stackalloc byte[ActionsSize], set = stackalloc byte[SetSize];
        Check(Libc.SpawnAttrInit(attr));
        Check(Libc.FileActionsInit(actions));
        byte** argv = ToNative(command);
        byte** envp = ToNative([.. environment.Select(e => $"{e.Key}={e.Value}")]);
        try
        {
            Check(Libc.SpawnAttrSetFlags(attr, Libc.SpawnSetSid | Libc.SpawnSetSigMask | Libc.SpawnSetSigDef));
            Check(Libc.SigEmptySet(set));
            Check(Libc.SpawnAttrSetSigMask(attr, set));
            // Ignored signals stay ignored across exec, and the .NET runtime ignores SIGPIPE: reset everything that can be.
            Check(Libc.SigFillSet(set));
            Check(Libc.SigDelSet(set, Libc.SigKill));
            Check(Libc.SigDelSet(set, 19));
            Check(Libc.SpawnAttrSetSigDefault(attr, set));
            Check(Libc.FileActionsAddOpen(actions, 0, "/dev/null", Libc.OpenReadOnly, 0));
            Check(Libc.FileActionsAddDup2(actions, stderrFd, 2));
            if (stdoutFd >= 0)
                Check(Libc.FileActionsAddDup2(actions, stdoutFd, 1));
            return Libc.SpawnP(out pid, command[0], actions, attr, argv, envp);
        }
        finally
        {
            Free(argv);
            Free(envp);
            Check(Libc.FileActionsDestroy(actions));
            Check(Libc.SpawnAttrDestroy(attr));
        }
    }

    private static void Check(int error)
    {
        if (error != 0)
            throw new InvalidOperationException($"the C library refuses to prepare a process: {error}");
    }

    private static unsafe byte** ToNative(IReadOnlyList<string> values)
    {
        var array = (byte**)NativeMemory.AllocZeroed((nuint)(values.Count + 1), (nuint)sizeof(byte*));
        for (var i = 0; i < values.Count; i++)
            array[i] = (byte*)Marshal.StringToCoTaskMemUTF8(values[i]);
        return array;
    }

    private static unsafe void Free(byte** array)
    {
        for (var p = array; *p != null; p++)
            Marshal.FreeCoTaskMem((nint)(*p));
        NativeMemory.Free(array);
    }
}
