using System.Runtime.InteropServices;

namespace TrainingSupervisor.Testing.Runtime;

/// <summary>posix_spawn: one fork without copied memory and one exec, where .NET's Process offers neither sessions nor redirection to files.</summary>
internal static partial class LibcSpawn
{
    // glibc's posix_spawnattr_t has 336 bytes and its sigset_t 128, musl's are no larger; room to spare costs nothing.
    private const int AttributesSize = 1024, ActionsSize = 1024, SetSize = 256;
    private const short SetSignalDefaults = 0x04, SetSignalMask = 0x08, SetSession = 0x80;
    private const int ReadOnly = 0, WriteOnly = 1, Create = 0x40, Append = 0x400;
    private const int SigStop = 19;

    /// <summary>
    /// Starts a program in a session of its own, its input empty and its output appended to a file. Returns 0, or the
    /// error's number.
    /// </summary>
    public static unsafe int Start(IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, string output, out int pid)
    {
        byte* attributes = stackalloc byte[AttributesSize], actions = stackalloc byte[ActionsSize], set = stackalloc byte[SetSize];
        _ = AttributesInit(attributes);
        _ = ActionsInit(actions);
        var argv = ToNative(command);
        var envp = ToNative([.. environment.Select(e => $"{e.Key}={e.Value}")]);
        try
        {
            _ = AttributesSetFlags(attributes, SetSession | SetSignalMask | SetSignalDefaults);
            _ = SetEmpty(set);
            _ = AttributesSetMask(attributes, set);

            // What is ignored stays ignored across exec, and .NET ignores SIGPIPE.
            _ = SetFill(set);
            _ = SetDelete(set, Libc.SigKill);
            _ = SetDelete(set, SigStop);
            _ = AttributesSetDefaults(attributes, set);
            _ = ActionsOpen(actions, 0, "/dev/null", ReadOnly, 0);
            _ = ActionsOpen(actions, 1, output, WriteOnly | Create | Append, 0x1A4);
            _ = ActionsDuplicate(actions, 1, 2);
            return Spawn(out pid, command[0], actions, attributes, argv, envp);
        }
        finally
        {
            Free(argv);
            Free(envp);
            _ = ActionsDestroy(actions);
            _ = AttributesDestroy(attributes);
        }
    }

    private static unsafe byte** ToNative(IReadOnlyList<string> values)
    {
        var array = (byte**)NativeMemory.AllocZeroed((nuint)(values.Count + 1), (nuint)sizeof(byte*));
        for (var i = 0; i < values.Count; i++)
        {
            array[i] = (byte*)Marshal.StringToCoTaskMemUTF8(values[i]);
        }

        return array;
    }

    private static unsafe void Free(byte** array)
    {
        for (var p = array; *p != null; p++)
        {
            Marshal.FreeCoTaskMem((nint)(*p));
        }

        NativeMemory.Free(array);
    }

    [LibraryImport("libc", EntryPoint = "sigemptyset")]
    private static unsafe partial int SetEmpty(void* set);

    [LibraryImport("libc", EntryPoint = "sigfillset")]
    private static unsafe partial int SetFill(void* set);

    [LibraryImport("libc", EntryPoint = "sigdelset")]
    private static unsafe partial int SetDelete(void* set, int signal);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    private static unsafe partial int AttributesInit(void* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    private static unsafe partial int AttributesDestroy(void* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    private static unsafe partial int AttributesSetFlags(void* attributes, short flags);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigmask")]
    private static unsafe partial int AttributesSetMask(void* attributes, void* set);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigdefault")]
    private static unsafe partial int AttributesSetDefaults(void* attributes, void* set);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    private static unsafe partial int ActionsInit(void* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    private static unsafe partial int ActionsDestroy(void* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addopen", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int ActionsOpen(void* actions, int file, string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    private static unsafe partial int ActionsDuplicate(void* actions, int file, int newFile);

    [LibraryImport("libc", EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Spawn(out int pid, string file, void* actions, void* attributes, byte** argv, byte** envp);
}
