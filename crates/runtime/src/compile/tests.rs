use super::*;

#[test]
fn only_threads_that_compile_give_way() {
    let niceness = || rustix::process::getpriority_process(None).unwrap();
    let before = niceness();
    let compiling = std::thread::spawn(move || {
        give_way();
        // What it starts inherits.
        (niceness(), std::thread::spawn(niceness).join().unwrap())
    });
    let lowered = (before + NICENESS).min(19);
    assert_eq!(compiling.join().unwrap(), (lowered, lowered));
    let component = wat::parse_str("(component)").unwrap();
    assert!(InProcess.compile(&Engine::default(), &component).is_ok());
    assert_eq!(niceness(), before);
}
