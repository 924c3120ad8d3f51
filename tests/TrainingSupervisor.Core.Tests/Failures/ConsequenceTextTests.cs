namespace TrainingSupervisor.Core.Tests.Failures;

/// <summary>Lines as frameworks print them: what a peer's death looks like, and what looks like it and is the cause.</summary>
public sealed class ConsequenceTextTests
{
    [Theory]
    [InlineData("RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [10.1.2.3]:41232")]
    [InlineData("RuntimeError: [enforce fail at gloo/transport/tcp/pair.cc:598] Read error [10.0.0.4]:1433: Connection reset by peer")]
    [InlineData("torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:2006, remote process exited or there was a network error, NCCL version 2.21.5\nncclRemoteError: A call failed possibly due to a network error or a remote process exiting prematurely.")]
    [InlineData("[rank3]:[E1125 ProcessGroupNCCL.cpp:616] [Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=812, OpType=ALLREDUCE, Timeout(ms)=600000) ran for 600012 milliseconds before timing out.")]
    [InlineData("terminate called after throwing an instance of 'c10::DistBackendError'\n  what():  [PG ID 0 PG GUID 0(default_pg) Rank 3] NCCL communicator was aborted on rank 3.")]
    [InlineData("node7:91:411 [0] socketStartConnect: Connect to 10.0.0.9<42161> failed : Software caused connection abort")]
    [InlineData("ConnectionResetError: [Errno 104] Connection reset by peer")]
    [InlineData("BrokenPipeError: [Errno 32] Broken pipe")]
    [InlineData("jaxlib.xla_extension.XlaRuntimeError: UNAVAILABLE: The following tasks are unhealthy (stopped sending heartbeats): /job:jax_worker/replica:0/task:12")]
    [InlineData("F1125 client.h:80] Terminating process because the JAX distributed service detected fatal errors. This most likely indicates that another task died")]
    [InlineData("horovod.common.exceptions.HorovodInternalError: Allreduce failed: [gloo] connection lost")]
    [InlineData("[node3:00812] *** An error occurred in MPI_Allreduce\n[node3:00812] *** MPI_ERR_PROC_FAILED: Process Failure")]
    [InlineData("torch.distributed.DistNetworkError: failed to recv, got 0 bytes")]
    [InlineData("TimeoutError: timed out waiting for rank 12 in all_reduce")]
    [InlineData("lost peer 7")]
    [InlineData("RuntimeError: DataLoader worker (pid 4711) is killed by signal: Terminated.")]
    [InlineData("ConnectionResetError: [Errno 104] Connection reset by peer\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\nAttributeError: 'NoneType' object has no attribute 'state_dict'")]
    public void IsIn_WordsOfAPeersDeath_True(string stderr) => Assert.True(ConsequenceText.IsIn($"step 1231\n{stderr}\n", ""));

    [Theory]
    [InlineData("ValueError: loss is NaN at step 1233")]
    [InlineData("KeyError: 'input_ids'")]
    [InlineData("RuntimeError: CUDA error: an illegal memory access was encountered")]
    [InlineData("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.")]
    [InlineData("torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:2006, unhandled cuda error, NCCL version 2.21.5\nncclUnhandledCudaError: Call to CUDA function failed.\nLast error:\nCuda failure 700 'an illegal memory access was encountered'")]
    [InlineData("ValueError: bad batch\n[rank0]:[W1125 ProcessGroupNCCL.cpp:1250] Warning: WARNING: process group has NOT been destroyed before we destruct ProcessGroupNCCL. On normal program exit, the application should call destroy_process_group")]
    [InlineData("FileNotFoundError: [Errno 2] No such file or directory: '/data/shard-00031.tar'")]
    [InlineData("/opt/conda/lib/python3.11/multiprocessing/resource_tracker.py:254: UserWarning: resource_tracker: There appear to be 1 leaked socket closed objects\nAssertionError: batch size mismatch")]
    [InlineData("NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.")]
    [InlineData("gloo rendezvous done\nProcessGroupNCCL ready\nZeroDivisionError: division by zero")]
    [InlineData("KeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\nBrokenPipeError: [Errno 32] Broken pipe")]
    [InlineData("")]
    public void IsIn_AnErrorOfItsOwn_False(string stderr) => Assert.False(ConsequenceText.IsIn(stderr, ""));

    [Fact]
    public void IsIn_NoStderrButEvidence_ReadsTheEvidence() => Assert.True(ConsequenceText.IsIn("", "a line on stderr matches: NCCL WARN socketProgress: Connection closed by remote peer"));
}
