namespace JobLauncher;

/// <summary>What the launcher's own exit code tells the one who called it. The numbers are those of sysexits.h and of shells.</summary>
internal static class ExitCodes
{
    public const int Succeeded = 0;

    /// <summary>The gang failed for a reason that lies in the job.</summary>
    public const int GangFailed = 1;

    /// <summary>The description or the command line is wrong.</summary>
    public const int BadInput = 64;

    /// <summary>The cluster cannot be reached or refuses.</summary>
    public const int ClusterUnavailable = 69;

    /// <summary>A mistake in the launcher or the library.</summary>
    public const int Internal = 70;

    /// <summary>Stopped by Ctrl-C; 143 after SIGTERM.</summary>
    public const int Stopped = 130;

    public const string Help = """
          0    every worker ended with exit code 0
          1    the gang failed; the message says what broke first
          64   the command line or the gang's description is wrong
          69   the cluster cannot be reached, or refuses
          70   a mistake in the launcher itself
          130  stopped by Ctrl-C (143: by SIGTERM); the gang is deleted, unless --keep-on-exit
        """;
}
