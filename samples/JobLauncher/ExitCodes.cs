namespace JobLauncher;

/// <summary>What the launcher's own exit code tells the one who called it.</summary>
internal static class ExitCodes
{
    public const int Succeeded = 0;

    /// <summary>The gang failed for a reason that lies in the job.</summary>
    public const int GangFailed = 1;

    /// <summary>The description or the command line is wrong.</summary>
    public const int BadInput = 64;

    /// <summary>The cluster cannot be reached or refuses.</summary>
    public const int ClusterUnavailable = 69;

    /// <summary>Stopped by Ctrl-C or SIGTERM; the gang was stopped and deleted.</summary>
    public const int Stopped = 130;
}
