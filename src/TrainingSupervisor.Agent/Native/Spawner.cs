using System.Runtime.InteropServices;

namespace TrainingSupervisor.Agent.Native;

/// <summary>Starts a program in a session of its own, with default signal handling, no stdin, and a pipe for stderr.</summary>
internal static class Spawner
{
    // glibc's posix_spawnattr_t has 336 bytes and sigset_t 128, musl's are no larger; room to spare costs nothing.
    private const int AttrSize = 1024, ActionsSize = 1024, SetSize = 256;

    /// <summary>Returns 0 and the process id, or the errno of what went wrong.</summary>
    internal static unsafe int Spawn(IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, int stderrFd, out int pid)
    {
        byte* attr = stackalloc byte[AttrSize], actions = stackalloc byte[ActionsSize], set = stackalloc byte[SetSize];
        Libc.SpawnAttrInit(attr);
        Libc.FileActionsInit(actions);
        byte** argv = ToNative(command);
        byte** envp = ToNative([.. environment.Select(e => $"{e.Key}={e.Value}")]);
        try
        {
            Libc.SpawnAttrSetFlags(attr, Libc.SpawnSetSid | Libc.SpawnSetSigMask | Libc.SpawnSetSigDef);
            Libc.SigEmptySet(set);
            Libc.SpawnAttrSetSigMask(attr, set);
            // Ignored signals stay ignored across exec, and the .NET runtime ignores SIGPIPE: reset everything that can be.
            Libc.SigFillSet(set);
            Libc.SigDelSet(set, Libc.SigKill);
            Libc.SigDelSet(set, 19);
            Libc.SpawnAttrSetSigDefault(attr, set);
            Libc.FileActionsAddOpen(actions, 0, "/dev/null", Libc.OpenReadOnly, 0);
            Libc.FileActionsAddDup2(actions, stderrFd, 2);
            return Libc.SpawnP(out pid, command[0], actions, attr, argv, envp);
        }
        finally
        {
            Free(argv);
            Free(envp);
            Libc.FileActionsDestroy(actions);
            Libc.SpawnAttrDestroy(attr);
        }
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
