namespace TrainingSupervisor.Testing;

/// <summary>How the embedded kubelets behave. The defaults are a real kubelet's, but for <see cref="NoticeDelay"/>.</summary>
public sealed class KubeletOptions
{
    /// <summary>
    /// The period at which a kubelet looks for containers that ended; a real one looks once a second. Default: zero, at once.
    /// </summary>
    public TimeSpan NoticeDelay { get; set; }

    /// <summary>The first wait of a container that keeps ending; it doubles each time. Default: 10 s.</summary>
    public TimeSpan CrashLoopBackOff { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest wait of a container that keeps ending. Default: 5 min.</summary>
    public TimeSpan MaxCrashLoopBackOff { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>The first wait between two pulls of an image; it doubles up to 5 min. Default: 10 s.</summary>
    public TimeSpan ImagePullBackOff { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a victim of RestartAllContainers has between SIGTERM and SIGKILL. Default: 2 s.</summary>
    public TimeSpan RestartAllContainersGrace { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How often a kubelet looks whether an emptyDir has grown beyond its sizeLimit. Default: 10 s.</summary>
    public TimeSpan EvictionInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// In a real container the main process has the number 1, and the kernel spares it all signals that it does not handle: a plain
    /// <c>sleep</c> does not end on SIGTERM, but with SIGKILL when its grace is over. Do likewise. Linux only.
    /// Default: false, so that tests need not wait for that.
    /// </summary>
    public bool IgnoreUnhandledSignals { get; set; }

    /// <summary>
    /// Run no processes: containers live until <c>ExitContainerAsync</c> ends them, so that thousands fit into one test.
    /// Default: false.
    /// </summary>
    public bool SimulateContainers { get; set; }
}
